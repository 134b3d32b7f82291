"""Weights of SimMIM's reference under the names of Hugging Face's models.

Those of `ViTForMaskedImageModeling` and `SwinForMaskedImageModeling`, as of
transformers 5.23: queries, keys and values have projections of their own there.
"""

import re

import numpy as np

# From the reference's names; applied in order, every one that matches.
_RULES = {
    "vit": (
        (r"^encoder\.blocks\.", "vit.layers."),
        (r"^encoder\.norm\.", "vit.layernorm."),
        (r"^encoder\.pos_embed", "vit.embeddings.position_embeddings"),
    ),
    "swin": (
        (r"^encoder\.layers\.", "swin.encoder.layers."),
        (r"^encoder\.norm\.", "swin.layernorm."),
        (r"^encoder\.patch_embed\.norm", "swin.embeddings.norm"),
    ),
}
_COMMON_RULES = (
    (
        r"^encoder\.patch_embed\.proj",
        "{family}.embeddings.patch_embeddings.projection",
    ),
    (r"^encoder\.(cls|mask)_token", r"{family}.embeddings.\1_token"),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.attn\.proj\.", ".attention.o_proj."),
    (r"\.attn\.relative_", ".attention.relative_position_bias.relative_"),
    (r"\.attn\.([qkv])_bias$", r".attention.\1_proj.bias"),
)


def to_hugging_face(arrays, family):
    """Renames weights, or gradients, and splits those of the attention.

    The reference's ViT has no biases on keys, which change nothing: they are
    zero here, as is their gradient.

    Args:
        arrays: {the reference's name: array}; see `convert.reference_weights`.
        family: "vit" or "swin".

    Returns:
        {Hugging Face's name: array}.
    """
    renamed = {}
    for name, array in arrays.items():
        match = re.fullmatch(r"(.*)\.attn\.qkv\.(weight|bias)", name)
        if match is None:
            renamed[name] = array
            continue
        block, kind = match.groups()
        for part, values in zip("qkv", np.split(array, 3), strict=True):
            renamed[f"{block}.attn.{part}_proj.{kind}"] = values
    for name in [n for n in renamed if n.endswith(".attn.q_bias")]:
        renamed[name.replace("q_bias", "k_bias")] = np.zeros_like(renamed[name])
    return {_rename(name, family): array for name, array in renamed.items()}


def _rename(name, family):
    for pattern, replacement in (*_RULES[family], *_COMMON_RULES):
        replacement = replacement.replace("{family}", family)
        name = re.sub(pattern, replacement, name)
    return re.sub(r"\.attn\.([qkv]_proj)", r".attention.\1", name)
