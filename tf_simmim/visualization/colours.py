"""Numbers and images of any kind as colours that a screen can show.

Dimension key:
  B: batch   H W: image, px   C: channels
"""

import numpy as np

# From black through red to pale yellow, with evenly rising lightness: places
# of the map "inferno" of S. van der Walt and N. Smith, 2015 (public domain).
_HEAT = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ],
    np.float64,
)
_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601


def heat_colours(values, largest) -> np.ndarray:
    """Turns numbers into colours from black (0) to pale yellow (`largest`).

    Args:
        values: float, any shape. Numbers outside 0..`largest` are cut to it;
            NaN is black.
        largest: float. Where it is not positive, everything is black.

    Returns:
        uint8, the shape of `values` and a last axis of 3.
    """
    values = np.nan_to_num(np.asarray(values, np.float64), nan=0.0)
    share = np.zeros_like(values)
    if largest > 0:
        share = np.clip(values / largest, 0.0, 1.0)
    places = np.linspace(0.0, 1.0, len(_HEAT))
    colours = [np.interp(share, places, _HEAT[:, i]) for i in range(3)]
    return np.round(np.stack(colours, axis=-1)).astype(np.uint8)


def heat_overlay(picture, values, largest, opacity=0.65) -> np.ndarray:
    """Lays heat colours over a picture in grey.

    Args:
        picture: uint8 [H, W, 3].
        values: float [H, W].
        largest: as in `heat_colours`.
        opacity: float in [0, 1]. Share of the heat colours.

    Returns:
        uint8 [H, W, 3].
    """
    grey = np.asarray(picture, np.float64) @ np.array(_LUMINANCE)  # [H, W]
    heat = heat_colours(values, largest).astype(np.float64)
    mixed = (1 - opacity) * grey[..., np.newaxis] + opacity * heat
    return np.round(mixed).astype(np.uint8)


def to_rgb(images) -> np.ndarray:
    """Shows images with any number of channels.

    Args:
        images: uint8 [B, H, W, C].

    Returns:
        uint8 [B, H, W, 3]: the first three channels; of one or two channels,
        the first as grey.
    """
    images = np.asarray(images)
    channels = images.shape[-1]
    return images[..., :3] if channels >= 3 else images[..., :1].repeat(3, -1)


def shown_channels(channels: int) -> str:
    """Says which channels `to_rgb` shows, or nothing where it shows all."""
    if channels in (1, 3):
        return ""
    if channels == 2:
        return "channel 1 of 2, as grey"
    return f"channels 1, 2 and 3 of {channels}, as red, green and blue"
