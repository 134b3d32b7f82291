"""Cross entropy of the class of each pixel.

Dimension key:
  B: batch   H W: image, px   L: classes
"""

from collections.abc import Sequence

import tensorflow as tf


def segmentation_loss(
    logits: tf.Tensor,
    segmentation: tf.Tensor,
    ignore_label: int = 255,
    class_weights: Sequence[float] | None = None,
) -> tf.Tensor:
    """Returns the mean cross entropy of the pixels that have a class.

        sum(w * -log softmax(logits)[class]) / sum(w)

    with w = `class_weights[class]`, and 0 where the class is `ignore_label`.

    Args:
        logits: float32 [B, H, W, L].
        segmentation: int or uint8 [B, H, W, 1]. The class, 0..L-1, or
            `ignore_label`.
        ignore_label: int outside 0..L-1.
        class_weights: L floats > 0, or None: 1 for each. As of PyTorch's
            `CrossEntropyLoss(weight=...)`, so that the weights' common factor
            changes nothing.

    Returns:
        float32 []. A mean over the batch that it is given; 0 if no pixel has
        a class. See `count_pixels` for what it counts among others.
    """
    labels = tf.cast(segmentation[..., 0], tf.int32)  # [B, H, W]
    is_counted = labels != ignore_label
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.where(is_counted, labels, 0), logits=logits
    )
    weights = _weights(labels, ignore_label, class_weights)
    # No pixel without a class may bring in its NaN.
    total = tf.reduce_sum(weights * tf.where(is_counted, losses, 0.0))
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights))


def count_pixels(
    segmentation: tf.Tensor,
    ignore_label: int = 255,
    class_weights: Sequence[float] | None = None,
) -> tf.Tensor:
    """Returns how many pixels have a class, of each first index.

    Args:
        segmentation: int or uint8 [K, ...].
        ignore_label: int.
        class_weights: as of `segmentation_loss`. Each pixel counts as much as
            its class.

    Returns:
        float32 [K].
    """
    labels = tf.cast(segmentation, tf.int32)
    axes = list(range(1, len(segmentation.shape)))
    return tf.reduce_sum(_weights(labels, ignore_label, class_weights), axes)


def _weights(labels, ignore_label, class_weights):
    """Returns how much each pixel counts, float32."""
    is_counted = labels != ignore_label
    if class_weights is None:
        return tf.cast(is_counted, tf.float32)
    weights = tf.constant(class_weights, tf.float32)
    weights = tf.gather(weights, tf.where(is_counted, labels, 0))
    return tf.where(is_counted, weights, 0.0)
