"""Named backbones: one table, one constructor."""

import difflib

from tf_simmim.backbones import vit

# The sizes of ViT-Ti, S, B and L are those of Touvron et al., DeiT, 2020,
# https://arxiv.org/abs/2012.12877, and Dosovitskiy et al., 2020. `vit_nano`
# is for images of about 32 px: patches of 4 px, trained on a laptop.
PRESETS = {
    "vit_nano": dict(
        patch_size=4,
        embed_dim=96,
        depth=6,
        num_heads=3,
        absolute_position="sincos",
        relative_position="none",
    ),
    "vit_tiny": dict(patch_size=16, embed_dim=192, depth=12, num_heads=3),
    "vit_small": dict(patch_size=16, embed_dim=384, depth=12, num_heads=6),
    "vit_base": dict(patch_size=16, embed_dim=768, depth=12, num_heads=12),
    "vit_large": dict(patch_size=16, embed_dim=1024, depth=24, num_heads=16),
}


def create(name: str, image_size, **overrides):
    """Creates the backbone of a preset.

    Args:
        name: str. A key of `PRESETS`.
        image_size: int or (height, width), px.
        **overrides: constructor arguments that replace the preset's, e.g.
            `channels=1` or `drop_path_rate=0.1`.

    Returns:
        A backbone, `ViT`.

    Raises:
        ValueError: unknown name; the message lists the known ones.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"`name` must be one of {sorted(PRESETS)}.{hint} "
            f"Received: {name!r}."
        )
    return vit.ViT(image_size, **{**PRESETS[name], **overrides})
