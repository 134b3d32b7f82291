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
    key_dims,
    value_dims,
    mlp_dims,
    attention,
    register_tokens,
    reduce_tokens,
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
    if absolute_position == "sincos" and embed_dim % 4:
        raise ValueError(
            "`embed_dim` must be a multiple of 4 with "
            f'absolute_position="sincos". Received: {embed_dim}.'
        )
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
        depth * [embed_dim],
        num_heads=num_heads,
        key_dims=key_dims,
        value_dims=value_dims,
        mlp_dims=mlp_dims,
        mlp_ratio=mlp_ratio,
        attention=attention,
    )
    if relative_position == "shared" and len({s.num_heads for s in shapes}) > 1:
        raise ValueError(
            "`num_heads` must be the same for all blocks with "
            'relative_position="shared", whose table has a column for every '
            f'head; "per_block" has a table for each. Received: {num_heads}.'
        )
    checks.require_not_negative("register_tokens", register_tokens)

    grid = tuple(side // patch_size for side in image_size)
    num_patches = grid[0] * grid[1]
    num_merged = _num_merged(
        reduce_tokens, depth, num_patches, relative_position, visible_only
    )
    num_first = bool(class_token) + register_tokens
    kernel = patch_size**2 * channels * embed_dim
    parts = [
        Part("patch_embedding", kernel + embed_dim, 2 * num_patches * kernel),
        Part("mask_token", embed_dim),
    ]
    if class_token:
        parts.append(Part("class_token", embed_dim))
    if register_tokens:
        parts.append(Part("register_tokens", register_tokens * embed_dim))
    if absolute_position == "learned":
        num_positions = num_patches + bool(class_token)
        parts.append(Part("position_embedding", num_positions * embed_dim))
    num_rows = block_plan.num_offsets(grid) + _CLASS_ROWS * bool(class_token)
    num_biases = {"none": 0, "shared": 1, "per_block": depth}
    parts += [
        Part(f"relative_position_bias_{i}", num_rows * shape.num_heads)
        for i, shape in enumerate(shapes[: num_biases[relative_position]])
    ]
    # Both norms, and both LayerScales.
    vectors = embed_dim * (4 if layer_scale_init is None else 6)
    num_left = num_patches
    for i, shape in enumerate(shapes):
        num_tokens = num_left + num_first
        costs = (
            (vectors, 0),
            block_plan.attention_cost(shape, num_tokens, 1, qkv_bias),
            block_plan.mlp_cost(shape, num_tokens),
            (0, _merging_flops(num_left, num_merged[i], shape)),
        )
        num_left -= num_merged[i]
        parts.append(Part(f"block_{i}", *map(sum, zip(*costs, strict=True))))
    if final_norm:
        parts.append(Part("norm", 2 * embed_dim))
    return block_plan.BlockPlan(
        parts=tuple(parts),
        shapes=shapes,
        image_size=image_size,
        channels=channels,
        grid_size=grid,
        attended=num_patches + num_first,
        stride=patch_size,
        num_features=embed_dim,
    )


def merged_per_block(reduce_tokens, depth) -> tuple:
    """Returns how many tokens to merge away behind each block of a ViT.

    Args:
        reduce_tokens: int for all blocks but the last, behind which nothing is
            left to save; or a list or tuple with one for each.
        depth: int. Number of blocks.

    Raises:
        ValueError: a number is no int of 0 or more, or a list of another
            length.
    """
    num_merged = checks.per_block("reduce_tokens", reduce_tokens, depth)
    for number in num_merged:
        checks.require_not_negative("reduce_tokens", number)
    if isinstance(reduce_tokens, list | tuple):
        return num_merged
    return (*num_merged[:-1], 0)


def _num_merged(
    reduce_tokens, depth, num_patches, relative_position, visible_only
):
    """Returns how many tokens are merged away behind each block."""
    num_merged = merged_per_block(reduce_tokens, depth)
    for number in num_merged:
        if number > num_patches // 2:
            raise ValueError(
                "`reduce_tokens` must merge at most half of the patch tokens "
                f"that a block has. Received: {reduce_tokens}, and {number} of "
                f"{num_patches}."
            )
        num_patches -= number
    if any(num_merged) and (relative_position != "none" or visible_only):
        raise ValueError(
            '`reduce_tokens` needs relative_position="none", e.g. beside '
            'absolute_position="sincos", since merged tokens have no place of '
            "their own; and not `visible_only`. Received: "
            f"relative_position={relative_position!r}, "
            f"visible_only={visible_only}."
        )
    return num_merged


def _merging_flops(num_patches, num_merged, shape):
    """Returns the operations of the matching and of the means."""
    if not num_merged:
        return 0
    b = num_patches // 2
    scores = (num_patches - b) * b * shape.key_dim
    return 2 * (scores + b * num_merged * (shape.embed_dim + 1))
