"""Learned positions of others, with the rows that `backbones.ViT` has.

Dimension key:
  h w: grid of patches   D: embed_dim
  T: tokens before the patches that other networks have and ViTs here have not
"""

from collections.abc import Mapping

import numpy as np

from tf_simmim.convert import shapes
from tf_simmim.convert.model_facts import ModelFacts

# Registers, and DeiT's token of distillation.
_OTHER_TOKENS = ("dist_token", "reg_token", "register_tokens")


def with_own_rows(
    weights: Mapping[str, np.ndarray], facts: ModelFacts
) -> tuple[np.ndarray | None, str]:
    """Returns positions of the class token, if there is one, and of patches.

    Some networks (DeiT III, DINOv2 with registers in timm) add positions to
    patches alone: the class token's are zero then, which is the same. Others
    have rows for tokens that no ViT here has; these are left out.

    Args:
        weights: {the reference's name, without prefix: array}.
        facts: what the weights may not say; `image_size` matters.

    Returns:
        (float [1, 1 + h*w, D], or [1, h*w, D] without a class token; what has
        been changed). (None, "") where nothing needs to be, or where there is
        no grid of such a size.
    """
    if "pos_embed" not in weights:
        return None, ""
    _, num_rows, embed_dim = shapes.shape_of(weights, "pos_embed", 3)
    *_, height, width = shapes.shape_of(weights, "patch_embed.proj.weight", 4)
    num_class = int("cls_token" in weights)
    num_others = sum(
        np.size(weights[name]) // embed_dim
        for name in _OTHER_TOKENS
        if name in weights
    )

    def has_grid(num_patches):
        if facts.image_size is None:
            return bool(num_patches > 0 and shapes.square_side(num_patches))
        image = facts.size("image_size")
        return num_patches == (image[0] // height) * (image[1] // width)

    positions = np.asarray(weights["pos_embed"])
    if has_grid(num_rows - num_class):
        return None, ""
    if num_class and has_grid(num_rows):
        zeros = np.zeros_like(positions[:, :1])
        return (
            np.concatenate([zeros, positions], axis=1),
            "has no row for the class token; it gets zeros, which is the same",
        )
    if num_others and has_grid(num_rows - num_class - num_others):
        rows = [*range(num_class), *range(num_class + num_others, num_rows)]
        return (
            positions[:, rows],
            f"without the {num_others} rows of tokens that are left out",
        )
    return None, ""
