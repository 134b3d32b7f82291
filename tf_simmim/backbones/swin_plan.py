"""A Swin's arguments: checked, and counted before there is any weight.

Dimension key:
  P: patch_size, px   C: channels   h w: grid of patches   D: embed_dim
  s: stage, from 0: its map is h/2^s x w/2^s cells of width 2^s * D
"""

import math

from tf_simmim import sizes
from tf_simmim.backbones import block_plan
from tf_simmim.backbones import checks
from tf_simmim.backbones.block_plan import Part
from tf_simmim.layers import continuous_position_bias
from tf_simmim.layers import self_attention
from tf_simmim.layers import windows

VERSIONS = (1, 2)
QKV_BIASES = {1: "query_key_value", 2: "query_value"}


def plan(
    *,
    image_size,
    patch_size,
    embed_dim,
    depths,
    num_heads,
    window_size,
    channels,
    mlp_ratio,
    version,
    qkv_bias,
    drop_path_rate,
    epsilon,
    rematerialize,
    key_dims,
    value_dims,
    mlp_dims,
) -> block_plan.BlockPlan:
    """Returns the plan of a Swin; the arguments are those of `Swin`.

    Raises:
        ValueError: an argument that no Swin can have.
    """
    del epsilon, rematerialize  # cost no weight and no product
    checks.require_one_of("version", version, VERSIONS)
    qkv_bias = qkv_bias or QKV_BIASES[version]
    checks.require_one_of("qkv_bias", qkv_bias, self_attention.QKV_BIASES)
    depths, num_heads = _by_stage(depths, num_heads)
    checks.require_positive(embed_dim=embed_dim)
    checks.require_positive(patch_size=patch_size, channels=channels)
    checks.require_at_most(block_plan.MAX_BLOCKS, depths=sum(depths))
    checks.require_drop_path_rate(drop_path_rate)
    stride = patch_size * 2 ** (len(depths) - 1)
    image_size = sizes.as_pair(image_size, "image_size")
    sizes.require_multiple(image_size, "image_size", stride, "stride")
    window_size = sizes.as_pair(window_size, "window_size")
    stages = [s for s, depth in enumerate(depths) for _ in range(depth)]
    shapes = block_plan.block_shapes(
        [embed_dim * 2**stage for stage in stages],
        num_heads=[num_heads[stage] for stage in stages],
        key_dims=key_dims,
        value_dims=value_dims,
        mlp_dims=mlp_dims,
        mlp_ratio=mlp_ratio,
    )

    grid = tuple(side // patch_size for side in image_size)
    kernel = patch_size**2 * channels * embed_dim
    parts = [
        Part(
            "patch_embedding", kernel + embed_dim, 2 * math.prod(grid) * kernel
        ),
        Part("patch_norm", 2 * embed_dim),
        Part("mask_token", embed_dim),
    ]
    attended, place = 0, 0
    for number, (stage, shape) in enumerate(zip(stages, shapes, strict=True)):
        place = place + 1 if number and stages[number - 1] == stage else 0
        stage_map = tuple(side // 2**stage for side in grid)
        if stage and not place:
            parts.append(_merging(stage - 1, shape, stage_map, version))
        window = tuple(map(min, stage_map, window_size))
        attended = max(attended, math.prod(window))
        costs = (
            (4 * shape.embed_dim, 0),  # both norms
            (_position_weights(shape, window, version), 0),
            _attention_cost(shape, stage_map, window, qkv_bias),
            block_plan.mlp_cost(shape, math.prod(stage_map)),
        )
        name = f"stage_{stage}_block_{place}"
        parts.append(Part(name, *map(sum, zip(*costs, strict=True))))
    num_features = shapes[-1].embed_dim
    parts.append(Part("norm", 2 * num_features))
    return block_plan.BlockPlan(
        parts=tuple(parts),
        shapes=shapes,
        image_size=image_size,
        channels=channels,
        grid_size=grid,
        attended=attended,
        stride=stride,
        num_features=num_features,
    )


def _by_stage(depths, num_heads):
    """Returns both as tuples, with one number a stage."""
    are_lists = all(isinstance(x, list | tuple) for x in (depths, num_heads))
    if not (
        are_lists
        and len(depths) == len(num_heads) > 0
        and all(isinstance(n, int) and n > 0 for n in depths)
    ):
        raise ValueError(
            "`depths` and `num_heads` must have one positive number a "
            f"stage. Received: depths={depths}, num_heads={num_heads}."
        )
    return tuple(depths), tuple(num_heads)


def _merging(number, shape, stage_map, version):
    """Returns the patch merging in front of a stage: a norm and a kernel."""
    wide = 2 * shape.embed_dim  # four cells of half the width
    kernel = wide * shape.embed_dim
    norm = 2 * (shape.embed_dim if version == 2 else wide)
    flops = 2 * math.prod(stage_map) * kernel
    return Part(f"patch_merging_{number}", norm + kernel, flops)


def _position_weights(shape, window, version):
    """Returns the weights that tell positions; in version 2, with scales."""
    if version == 1:
        return block_plan.num_offsets(window) * shape.num_heads
    hidden = continuous_position_bias.HIDDEN_UNITS
    return (2 + 1) * hidden + (hidden + 1) * shape.num_heads


def _attention_cost(shape, stage_map, window, qkv_bias):
    padded = windows.padded_size(stage_map, window)
    num_windows = math.prod(padded) // math.prod(window)
    return block_plan.attention_cost(
        shape, math.prod(window), num_windows, qkv_bias
    )
