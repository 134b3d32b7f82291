"""The reference's names, turned into those that others give the same weights.

The inverse of `tf_simmim.convert.naming`, written from the other side's code:
transformers 4 (its names on disk) and 5 (in memory), timm 1.0.
"""

import re

import numpy as np

_BLOCK = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
}
_OLD = {
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
    "attn.relative_position_bias_table": "attention.self"
    ".relative_position_bias_table",
}
_NEW = {
    "attn.proj": "attention.o_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "attn.relative_position_bias_table": "attention.relative_position_bias"
    ".relative_position_bias_table",
}
_OUTSIDE = {
    "cls_token": "embeddings.cls_token",
    "mask_token": "embeddings.mask_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "patch_embed.norm": "embeddings.norm",
    "norm": "layernorm",
}


def hugging_face(weights, version, prefix=""):
    """Returns an encoder's weights as transformers calls them.

    Args:
        weights: {the reference's name, without prefix: array}.
        version: 4 or 5.
        prefix: str, e.g. "swin.".
    """
    result = {}
    for name, array in weights.items():
        inner, block = (
            name,
            re.match(
                r"(?:blocks\.(\d+)|layers\.(\d+)\.blocks\.(\d+))\.(.+)", name
            ),
        )
        start = ""
        if block and block[1]:
            start = {4: "encoder.layer", 5: "layers"}[version]
            start = f"{start}.{block[1]}."
        elif block:
            start = f"encoder.layers.{block[2]}.blocks.{block[3]}."
        if block:
            inner = block[4]
        if inner.startswith("attn.qkv."):
            kind = inner.rpartition(".")[2]
            is_vit = bool(block[1])
            for part, values in zip(
                ("query", "key", "value"), np.split(array, 3), strict=True
            ):
                attention = "attention" if is_vit else "self"
                new = f"attention.{attention}.{part}.{kind}"
                if version == 5:
                    new = f"attention.{part[0]}_proj.{kind}"
                result[prefix + start + new] = values
            continue
        table = {**_BLOCK, **(_OLD if version == 4 else _NEW)}
        table = table if block else _OUTSIDE
        module, _, kind = inner.rpartition(".")
        if inner in table:
            new = table[inner]
        elif module in table:
            new = f"{table[module]}.{kind}"
        else:  # a patch merging
            new = f"encoder.{inner}"
        result[prefix + start + new] = array
    return result


def timm(weights):
    """Returns an encoder's weights as timm calls them."""
    result = {}
    for name, array in weights.items():
        name = re.sub(r"\.gamma_([12])$", r".ls\1.gamma", name)
        merging = re.fullmatch(r"layers\.(\d+)(\.downsample\..+)", name)
        if merging:
            name = f"layers.{int(merging[1]) + 1}{merging[2]}"
        result[name] = array
    return result
