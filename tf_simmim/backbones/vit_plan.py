"""A ViT's arguments: checked, and counted before there is any weight.

Dimension key:
  P: patch_size, px   C: channels   h w: grid of patches   N: h*w
  M: number of tokens = N, + 1 with the class token   D: embed_dim
"""

from tf_simmim import sizes
from tf_simmim.backbones import block_plan
from tf_simmim.backbones import checks
from tf_simmim.backbones.block_plan import Part
from tf_simmim.layers import self_attention

ABSOLUTE_POSITIONS = ("none", "learned", "sincos")
RELATIVE_POSITIONS = ("none", "shared", "per_block")
# Class to patch, patch to class, class to class.
_CLASS_ROWS = 3


def plan(
    *,
    image_size,
    patch_size,
    embed_dim,
    depth,
    num_heads,
    channels,
    mlp_ratio,
    qkv_bias,
    absolute_position,
    relative_position,
    layer_scale_init,
    class_token,
    drop_path_rate,
    epsilon,
    rematerialize,
    visible_only,
    final_norm,
) -> block_plan.BlockPlan:
    """Returns the plan of a ViT; the arguments are those of `ViT`.

    Raises:
        ValueError: an argument that no ViT can have.
    """
    del epsilon, rematerialize  # cost no weight and no product
    image_size = sizes.as_pair(image_size, "image_size")
    sizes.require_multiple(image_size, "image_size", patch_size, "patch_size")
    for name, value, choices in (
        ("absolute_position", absolute_position, ABSOLUTE_POSITIONS),
        ("relative_position", relative_position, RELATIVE_POSITIONS),
        ("qkv_bias", qkv_bias, self_attention.QKV_BIASES),
    ):
        checks.require_one_of(name, value, choices)
    checks.require_positive(embed_dim=embed_dim)
    checks.require_positive(depth=depth, channels=channels)
    checks.require_at_most(block_plan.MAX_BLOCKS, depth=depth)
    checks.require_drop_path_rate(drop_path_rate)
    if visible_only and relative_position != "none":
        raise ValueError(
            '`relative_position` must be "none" with `visible_only`, e.g. '
            'beside absolute_position="sincos": a bias is for the whole '
            f"grid. Received: {relative_position!r}."
        )
    shapes = block_plan.block_shapes(
        depth * [embed_dim], depth * [num_heads], mlp_ratio
    )

    grid = tuple(side // patch_size for side in image_size)
    num_patches = grid[0] * grid[1]
    num_tokens = num_patches + bool(class_token)
    kernel = patch_size**2 * channels * embed_dim
    parts = [
        Part("patch_embedding", kernel + embed_dim, 2 * num_patches * kernel),
        Part("mask_token", embed_dim),
    ]
    if class_token:
        parts.append(Part("class_token", embed_dim))
    if absolute_position == "learned":
        parts.append(Part("position_embedding", num_tokens * embed_dim))
    num_rows = block_plan.num_offsets(grid) + _CLASS_ROWS * bool(class_token)
    num_biases = {"none": 0, "shared": 1, "per_block": depth}
    parts += [
        Part(f"relative_position_bias_{i}", num_rows * shape.num_heads)
        for i, shape in enumerate(shapes[: num_biases[relative_position]])
    ]
    # Both norms, and both LayerScales.
    vectors = embed_dim * (4 if layer_scale_init is None else 6)
    for i, shape in enumerate(shapes):
        costs = (
            (vectors, 0),
            block_plan.attention_cost(shape, num_tokens, 1, qkv_bias),
            block_plan.mlp_cost(shape, num_tokens),
        )
        parts.append(Part(f"block_{i}", *map(sum, zip(*costs, strict=True))))
    if final_norm:
        parts.append(Part("norm", 2 * embed_dim))
    return block_plan.BlockPlan(
        parts=tuple(parts),
        shapes=shapes,
        image_size=image_size,
        channels=channels,
        grid_size=grid,
        attended=num_tokens,
        stride=patch_size,
        num_features=embed_dim,
    )
