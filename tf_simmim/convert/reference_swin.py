"""Parameter names of the reference's Swin, beside our variables."""

from tf_simmim import layers
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
        ValueError: the reference has no such Swin: in version 1 it has biases
            on queries, keys and values, in version 2 on queries and values;
            or none.
    """
    known = {1: "query_key_value", 2: "query_value"}[swin.version]
    if swin.qkv_bias not in (known, "none"):
        raise ValueError(
            f"The reference's Swin of version {swin.version} has other biases; "
            f"`qkv_bias` must be {known!r} or 'none'. "
            f"Received: {swin.qkv_bias!r}."
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
    names = {"qkv": "qkv.bias", "query": "q_bias", "value": "v_bias"}
    return [
        *_position_maps(block, f"{name}.attn"),
        linear(f"{name}.attn.qkv.weight", attention.qkv_kernel),
        *(
            WeightMap(f"{name}.attn.{names[kind]}", bias)
            for kind, bias in attention.biases.items()
        ),
        *layer_norm(f"{name}.norm1", block.attention_norm),
        *dense(f"{name}.attn.proj", attention.projection),
        *layer_norm(f"{name}.norm2", block.mlp_norm),
        *dense(f"{name}.mlp.fc1", block.mlp.expand),
        *dense(f"{name}.mlp.fc2", block.mlp.project),
    ]


def _position_maps(block, name):
    bias = block.position_bias
    if isinstance(block, layers.SwinV2Block):
        return [
            WeightMap(f"{name}.logit_scale", block.attention.logit_scale),
            linear(f"{name}.cpb_mlp.0.weight", bias.hidden_kernel),
            WeightMap(f"{name}.cpb_mlp.0.bias", bias.hidden_bias),
            linear(f"{name}.cpb_mlp.2.weight", bias.output_kernel),
        ]
    return [WeightMap(f"{name}.relative_position_bias_table", bias.table)]
