"""Named backbones: one table, one constructor."""

import difflib

from tf_simmim import sizes
from tf_simmim.backbones import convolutional
from tf_simmim.backbones import extractors
from tf_simmim.backbones import swin
from tf_simmim.backbones import vit

# The sizes of ViT-Ti, S, B and L are those of Touvron et al., DeiT, 2020,
# https://arxiv.org/abs/2012.12877, and Dosovitskiy et al., 2020. `vit_nano`
# is for images of about 32 px: patches of 4 px, trained on a laptop. The
# Swins are those of Liu et al., 2021, https://arxiv.org/abs/2103.14030, and for
# version 2 https://arxiv.org/abs/2111.09883. Convolutional ones are Keras'.
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
PRESETS |= {
    name.replace("swin", "swin_v2"): dict(**arguments, version=2)
    for name, arguments in PRESETS.items()
    if name.startswith("swin")
}
PRESETS |= {name: dict(extractor=name) for name in extractors.EXTRACTORS}
# Windows of SimMIM's recipes: 6 at 192 px and 7 at 224 px; twice that here.
_LARGE_WINDOWS = ("swin_large", "swin_v2")
_SMALLEST_WINDOW = 6


def create(name: str, image_size, **overrides):
    """Creates the backbone of a preset.

    A Swin's `window_size`, unless it is given, is the last map's, doubled
    until it is 6 or more along each side; so windows divide every map. That is
    6 at 192 px and 7 at 224 px, as SimMIM pretrains and fine-tunes.
    `swin_large` and version 2 have twice as much, 12 and 14.

    Args:
        name: str. A key of `PRESETS`.
        image_size: int or (height, width), px.
        **overrides: constructor arguments that replace the preset's, e.g.
            `channels=1` or `drop_path_rate=0.1`.

    Returns:
        A backbone: `ViT`, `Swin` or `Convolutional`.

    Raises:
        ValueError: unknown name; the message lists the known ones. Or from
            the constructor.
    """
    cls = backbone_class(name)
    arguments = {**PRESETS[name], **overrides}
    if cls is swin.Swin and "window_size" not in arguments:
        image_size = sizes.as_pair(image_size, "image_size")
        stages = len(arguments["depths"])
        stride = max(arguments.get("patch_size", 4), 1) * 2 ** (stages - 1)
        factor = 2 if name.startswith(_LARGE_WINDOWS) else 1
        arguments["window_size"] = tuple(
            factor * _window(side // stride) for side in image_size
        )
    return cls(image_size, **arguments)


def backbone_class(name: str) -> type:
    """Returns the class of a preset, for the names of its arguments.

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
    if "extractor" in PRESETS[name]:
        return convolutional.Convolutional
    return swin.Swin if name.startswith("swin") else vit.ViT


def _window(side):
    """Doubles the side of the last map until a window is worth its name."""
    side = max(side, 1)
    while side < _SMALLEST_WINDOW:
        side *= 2
    return side
