"""What SimMIM's head is asked to predict, in patch space.

A target is the image itself or the image with its local brightness and
contrast taken out: (x - mean) / scale. Each kind is given by its `mean` and
`scale`, so that one formula encodes the target and its inverse turns a
prediction back into pixels.

Dimension key:
  B: batch   H W: image, px   C: channels   S: encoder stride, px
  h w: feature map = H/S, W/S   F: values of one cell = S*S*C, ordered
  (row, column, channel) as `tf.nn.space_to_depth` does
"""

import numpy as np
import tensorflow as tf

TARGETS = ("pixels", "patch_normalized", "window_normalized")
EPSILON = 1e-6  # added to variances, as in both references


def to_patches(images: tf.Tensor, stride: int) -> tf.Tensor:
    """Rearranges float32 [B, H, W, C] into [B, h, w, F]."""
    return tf.nn.space_to_depth(images, stride)


def from_patches(patches: tf.Tensor, stride: int) -> tf.Tensor:
    """Rearranges float32 [B, h, w, F] into [B, H, W, C]."""
    return tf.nn.depth_to_space(patches, stride)


def target_statistics(images: tf.Tensor, kind: str, stride: int):
    """Returns what is subtracted from pixels, and what they are divided by.

    * "pixels": 0 and 1. Xie et al., SimMIM, 2021,
      https://arxiv.org/abs/2111.09886, section 3.4. The default.
    * "patch_normalized": mean and standard deviation (unbiased) of all values
      of the cell. He et al., Masked Autoencoders, 2021,
      https://arxiv.org/abs/2111.06377, section 4.1.
    * "window_normalized": per pixel and channel, mean and standard deviation
      (unbiased) of the 47 x 47 window around it, cut at the border. The
      SimMIM pretraining of Liu et al., Swin Transformer V2, 2021,
      https://arxiv.org/abs/2111.09883, and its code (NORM_TARGET).

    Args:
        images: float32 [B, H, W, C]. Normalised.
        kind: str, one of `TARGETS`.
        stride: int, S, px.

    Returns:
        (mean, scale): float32, each broadcastable to [B, h, w, F].

    Raises:
        ValueError: `kind` is unknown.
    """
    if kind == "pixels":
        return tf.constant(0.0), tf.constant(1.0)
    if kind == "patch_normalized":
        return _patch_statistics(to_patches(images, stride))
    if kind == "window_normalized":
        mean, scale = _window_statistics(images)
        return to_patches(mean, stride), to_patches(scale, stride)
    raise ValueError(f"`kind` must be one of {TARGETS}. Received: {kind!r}.")


def _patch_statistics(patches):
    mean, variance = tf.nn.moments(patches, axes=[-1], keepdims=True)
    count = patches.shape[-1]
    variance *= count / (count - 1)
    return mean, tf.sqrt(variance + EPSILON)  # [B, h, w, 1]


def _window_statistics(images, window=47):
    # Average pooling with SAME padding leaves the padding out of the mean.
    def average(x):
        return tf.nn.avg_pool2d(x, window, strides=1, padding="SAME")

    rows = _window_counts(images.shape[1], window)[:, np.newaxis]
    columns = _window_counts(images.shape[2], window)[np.newaxis, :]
    count = (rows * columns)[np.newaxis, :, :, np.newaxis]  # [1, H, W, 1]
    mean = average(images)
    variance = (average(tf.square(images)) - tf.square(mean)) * (
        count / (count - 1.0)
    )
    # The difference of two averages can round to just below zero.
    return mean, tf.sqrt(tf.maximum(variance, 0.0) + EPSILON)  # [B, H, W, C]


def _window_counts(length, window):
    """Returns float32 [length]: positions of the window inside the border."""
    centre, half = np.arange(length), window // 2
    first = np.maximum(centre - half, 0)
    last = np.minimum(centre + half, length - 1)
    return (last - first + 1).astype(np.float32)
