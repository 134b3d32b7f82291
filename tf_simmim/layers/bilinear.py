"""Bilinear enlargement of maps, as two products with matrices.

Dimension key:
  B: batch   h w: map   H W: the same, enlarged   C: channels
"""

import numpy as np
import tensorflow as tf


def enlarge(maps, size) -> tf.Tensor:
    """Resizes maps to a size that is no smaller, between pixels' centres.

    The numbers are those of `tf.image.resize`. Written as products, it is
    differentiable under XLA and the same every time on a GPU, which the
    gradient of that function is not.

    Args:
        maps: float [B, h, w, C], h and w known.
        size: (H, W), each at least that of the maps.

    Returns:
        float [B, H, W, C], in the dtype of `maps`.

    Raises:
        ValueError: `size` is smaller than the maps.
    """
    before, after = tuple(maps.shape[1:3]), tuple(size)
    if before == after:
        return maps
    if after[0] < before[0] or after[1] < before[1]:
        raise ValueError(
            f"`size` must be no smaller than the maps, {before}. "
            f"Received: {after}."
        )
    rows, columns = (
        tf.constant(_weights(*sides), maps.dtype)
        for sides in zip(before, after, strict=True)
    )
    maps = tf.einsum("Hh,bhwc->bHwc", rows, maps)  # [B, H, w, C]
    return tf.einsum("Ww,bHwc->bHWc", columns, maps)  # [B, H, W, C]


def _weights(before, after):
    """Returns what each value counts at each place, [after, before]."""
    places = (np.arange(after) + 0.5) * before / after - 0.5
    places = np.clip(places, 0, before - 1)
    distance = np.abs(places[:, np.newaxis] - np.arange(before))
    return np.maximum(0.0, 1.0 - distance)
