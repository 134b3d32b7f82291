"""Cross entropy of the class of each pixel.

Dimension key:
  B: batch   H W: image, px   L: classes
"""

import tensorflow as tf


def segmentation_loss(
    logits: tf.Tensor, segmentation: tf.Tensor, ignore_label: int = 255
) -> tf.Tensor:
    """Returns the mean cross entropy of the pixels that have a class.

        sum(w * -log softmax(logits)[class]) / max(sum(w), 1)

    with w = 0 where the class is `ignore_label`, 1 elsewhere.

    Args:
        logits: float32 [B, H, W, L].
        segmentation: int or uint8 [B, H, W, 1]. The class, 0..L-1, or
            `ignore_label`.
        ignore_label: int outside 0..L-1.

    Returns:
        float32 []. A mean over the batch that it is given; 0 if no pixel has
        a class. See `count_pixels` for what it counts among others.
    """
    labels = tf.cast(segmentation[..., 0], tf.int32)  # [B, H, W]
    is_counted = labels != ignore_label
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.where(is_counted, labels, 0), logits=logits
    )
    total = tf.reduce_sum(tf.where(is_counted, losses, 0.0))
    count = tf.reduce_sum(tf.cast(is_counted, tf.float32))
    return total / tf.maximum(count, 1.0)


def count_pixels(segmentation: tf.Tensor, ignore_label: int = 255) -> tf.Tensor:
    """Returns how many pixels have a class, of each first index.

    Args:
        segmentation: int or uint8 [K, ...].
        ignore_label: int.

    Returns:
        float32 [K].
    """
    is_counted = tf.cast(segmentation, tf.int32) != ignore_label
    axes = list(range(1, len(segmentation.shape)))
    return tf.reduce_sum(tf.cast(is_counted, tf.float32), axes)
