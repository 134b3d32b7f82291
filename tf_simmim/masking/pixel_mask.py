"""Pixel masks: patch masks, spread over the pixels that they cover.

Dimension key:
  B: batch   H W: image, px   P: model patch, px   h w: H/P, W/P
"""

import tensorflow as tf


def to_pixel_mask(patch_mask: tf.Tensor, patch_size: int) -> tf.Tensor:
    """Spreads a patch mask over pixels.

    Args:
        patch_mask: [B, h, w], any dtype. 1 = hidden, 0 = visible.
        patch_size: int, P, px.

    Returns:
        Same dtype, [B, h * P, w * P].
    """
    rows = tf.repeat(patch_mask, patch_size, axis=1)
    return tf.repeat(rows, patch_size, axis=2)  # [B, H, W]
