"""Parameter names of the reference's ViT, beside our variables."""

from tf_simmim.convert.weight_map import WeightMap
from tf_simmim.convert.weight_map import convolution
from tf_simmim.convert.weight_map import dense
from tf_simmim.convert.weight_map import layer_norm
from tf_simmim.convert.weight_map import linear


def vit_weight_maps(vit, prefix: str = "") -> list[WeightMap]:
    """Returns the correspondence of every weight of a `backbones.ViT`.

    Biases on queries, keys and values, which the reference's ViT lacks, are
    called as in its Swin and in timm: `attn.qkv.bias`.

    Args:
        vit: `backbones.ViT`.
        prefix: str. Put before every name; "encoder." inside SimMIM.
    """
    maps = []
    if vit.class_token:
        maps.append(WeightMap("cls_token", vit.class_token_layer.class_token))
    if vit.register_tokens:  # as the official code of these calls them
        registers = vit.register_tokens_layer.register_tokens
        maps.append(WeightMap("register_tokens", registers))
    maps.append(WeightMap("mask_token", vit.mask_token.mask_token))
    if vit.absolute_position == "learned":
        embedding = vit.position_embedding.position_embedding
        maps.append(WeightMap("pos_embed", embedding))
    projection = vit.patch_embedding.projection
    maps.append(convolution("patch_embed.proj.weight", projection.kernel))
    maps.append(WeightMap("patch_embed.proj.bias", projection.bias))

    names = ["rel_pos_bias"]
    if vit.relative_position == "per_block":
        names = [f"blocks.{i}.attn" for i in range(vit.depth)]
    maps += [
        WeightMap(f"{name}.relative_position_bias_table", bias.table)
        for name, bias in zip(names, vit.relative_position_biases, strict=False)
    ]
    for i, block in enumerate(vit.blocks):
        maps += _block_maps(block, f"blocks.{i}")
    if vit.final_norm:
        maps += layer_norm("norm", vit.norm)
    return [
        WeightMap(prefix + m.name, m.variable, m.to_ours, m.to_reference)
        for m in maps
    ]


def _block_maps(block, name):
    maps = []
    if block.layer_scale_init is not None:
        maps.append(WeightMap(f"{name}.gamma_1", block.attention_scale.gamma))
        maps.append(WeightMap(f"{name}.gamma_2", block.mlp_scale.gamma))
    attention = block.attention
    maps += layer_norm(f"{name}.norm1", block.attention_norm)
    names = {"qkv": "qkv.bias", "query": "q_bias", "value": "v_bias"}
    for kind, bias in attention.biases.items():
        maps.append(WeightMap(f"{name}.attn.{names[kind]}", bias))
    maps.append(linear(f"{name}.attn.qkv.weight", attention.qkv_kernel))
    maps += dense(f"{name}.attn.proj", attention.projection)
    maps += layer_norm(f"{name}.norm2", block.mlp_norm)
    maps += dense(f"{name}.mlp.fc1", block.mlp.expand)
    maps += dense(f"{name}.mlp.fc2", block.mlp.project)
    return maps
