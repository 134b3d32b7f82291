"""Named backbones: one table, one constructor."""

import difflib

from tf_simmim import sizes
from tf_simmim.backbones import swin
from tf_simmim.backbones import vit

# The sizes of ViT-Ti, S, B and L are those of Touvron et al., DeiT, 2020,
# https://arxiv.org/abs/2012.12877, and Dosovitskiy et al., 2020. `vit_nano`
# is for images of about 32 px: patches of 4 px, trained on a laptop. The
# Swins are those of Liu et al., 2021, https://arxiv.org/abs/2103.14030.
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
    "swin_tiny": dict(
        embed_dim=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24)
    ),
    "swin_small": dict(
        embed_dim=96, depths=(2, 2, 18, 2), num_heads=(3, 6, 12, 24)
    ),
    "swin_base": dict(
        embed_dim=128, depths=(2, 2, 18, 2), num_heads=(4, 8, 16, 32)
    ),
    "swin_large": dict(
        embed_dim=192, depths=(2, 2, 18, 2), num_heads=(6, 12, 24, 48)
    ),
}
_SWIN_STRIDE = 32  # px
# Sides of the last map that a window is long.
_WINDOWS = {"swin_large": 2}


def create(name: str, image_size, **overrides):
    """Creates the backbone of a preset.

    A Swin's `window_size`, unless it is given, is the shorter side of its
    last map, which is 6 at 192 px and 7 at 224 px; for `swin_large` twice as
    much, 12 and 14. So SimMIM pretrains and fine-tunes them.

    Args:
        name: str. A key of `PRESETS`.
        image_size: int or (height, width), px.
        **overrides: constructor arguments that replace the preset's, e.g.
            `channels=1` or `drop_path_rate=0.1`.

    Returns:
        A backbone, `ViT` or `Swin`.

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
    arguments = {**PRESETS[name], **overrides}
    if not name.startswith("swin"):
        return vit.ViT(image_size, **arguments)
    if "window_size" not in arguments:
        shorter = min(sizes.as_pair(image_size, "image_size"))
        window_size = max(shorter // _SWIN_STRIDE, 1)
        arguments["window_size"] = window_size * _WINDOWS.get(name, 1)
    return swin.Swin(image_size, **arguments)
