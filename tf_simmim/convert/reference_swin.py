"""Parameter names of the reference's Swin, beside our variables."""

from tf_simmim.convert.weight_map import WeightMap
from tf_simmim.convert.weight_map import convolution
from tf_simmim.convert.weight_map import dense
from tf_simmim.convert.weight_map import layer_norm
from tf_simmim.convert.weight_map import linear


def swin_weight_maps(swin, prefix: str = "") -> list[WeightMap]:
    """Returns the correspondence of every weight of a `backbones.Swin`.

    Args:
        swin: `backbones.Swin`.
        prefix: str. Put before every name; "encoder." inside SimMIM.

    Raises:
        ValueError: the reference has no such Swin: it has biases on queries,
            keys and values, or none.
    """
    if swin.qkv_bias == "query_value":
        raise ValueError(
            "The reference's Swin has a bias on keys too; `qkv_bias` must be "
            f"'query_key_value' or 'none'. Received: {swin.qkv_bias!r}."
        )
    projection = swin.patch_embedding.projection
    maps = [
        WeightMap("mask_token", swin.mask_token.mask_token),
        convolution("patch_embed.proj.weight", projection.kernel),
        WeightMap("patch_embed.proj.bias", projection.bias),
        *layer_norm("patch_embed.norm", swin.patch_norm),
    ]
    for stage, blocks in enumerate(swin.stages):
        for place, block in enumerate(blocks):
            maps += _block_maps(block, f"layers.{stage}.blocks.{place}")
    for stage, merging in enumerate(swin.mergings):
        name = f"layers.{stage}.downsample"
        maps.append(
            linear(f"{name}.reduction.weight", merging.reduction.kernel)
        )
        maps += layer_norm(f"{name}.norm", merging.norm)
    maps += layer_norm("norm", swin.norm)
    return [
        WeightMap(prefix + m.name, m.variable, m.to_ours, m.to_reference)
        for m in maps
    ]


def _block_maps(block, name):
    attention = block.attention
    maps = [
        WeightMap(
            f"{name}.attn.relative_position_bias_table",
            block.position_bias.table,
        ),
        linear(f"{name}.attn.qkv.weight", attention.qkv_kernel),
    ]
    if attention.biases:
        bias = attention.biases["qkv"]
        maps.append(WeightMap(f"{name}.attn.qkv.bias", bias))
    return [
        *maps,
        *layer_norm(f"{name}.norm1", block.attention_norm),
        *dense(f"{name}.attn.proj", attention.projection),
        *layer_norm(f"{name}.norm2", block.mlp_norm),
        *dense(f"{name}.mlp.fc1", block.mlp.expand),
        *dense(f"{name}.mlp.fc2", block.mlp.project),
    ]
