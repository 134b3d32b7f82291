"""Cross-entropy with soft targets, and how often the label comes first.

Dimension key:
  B: batch   L: num_classes   k: classes that may be named
"""

import tensorflow as tf

# How far from 1 the sum of a label may be; of 16 bits, rounded as they are.
_TOLERANCE = 1e-3
_TOLERANCE_OF_16_BITS = 2e-2


def class_targets(
    labels: tf.Tensor, num_classes: int, label_smoothing: float = 0.0
) -> tf.Tensor:
    """Returns the distribution over classes that each label stands for.

        t[b, c] = (1 - s) [c == label[b]] + s / L

    for classes in integers, and the labels as they are for floats, which
    MixUp and CutMix have mixed (and smoothed) already.

    Args:
        labels: int [B], in [0, L); or float [B, L].
        num_classes: int, L.
        label_smoothing: float in [0, 1), s. Of integers alone.

    Returns:
        float32 [B, L]. NaN for an integer that is no class, and for floats that
        are no distribution (one is negative or not finite, or their sum is not
        1 within 0.001, or 0.02 for 16 bits), so that the loss is no number
        either and the step is skipped and counted.

    Raises:
        ValueError: `labels` have another shape.

    Source: Szegedy et al., Rethinking the Inception Architecture, 2015,
        https://arxiv.org/abs/1512.00567, section 7.
    """
    labels = tf.convert_to_tensor(labels)
    if labels.dtype.is_floating:
        if len(labels.shape) != 2 or labels.shape[1] not in (num_classes, None):
            raise ValueError(
                f"Float `label` must be [batch, {num_classes}], one number a "
                f"class. Received shape: {tuple(labels.shape)}."
            )
        tolerance = _TOLERANCE
        if labels.dtype.size < tf.float32.size:
            tolerance = _TOLERANCE_OF_16_BITS
        targets = tf.cast(labels, tf.float32)
        # False for what is not finite, too.
        is_right = tf.reduce_all(targets >= 0, axis=-1, keepdims=True)
        is_right &= (
            tf.abs(tf.reduce_sum(targets, axis=-1, keepdims=True) - 1)
            <= tolerance
        )
        return tf.where(is_right, targets, float("nan"))  # [B, L]
    if len(labels.shape) != 1:
        raise ValueError(
            "Integer `label` must be [batch], one class an image. "
            f"Received shape: {tuple(labels.shape)}."
        )
    hard = tf.one_hot(labels, num_classes, dtype=tf.float32)
    targets = (1.0 - label_smoothing) * hard + label_smoothing / num_classes
    is_class = (labels >= 0) & (labels < num_classes)
    return tf.where(is_class[:, tf.newaxis], targets, float("nan"))  # [B, L]


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Returns the mean cross-entropy of a replica's batch, in nats.

        -1/B sum_b sum_c t[b, c] log softmax(logits[b])[c]

    Args:
        logits: float [B, L].
        targets: float32 [B, L], from `class_targets`.

    Returns:
        float32 []. For replicas of equal batches, the mean of their losses is
        that of the global batch.
    """
    logits = tf.cast(logits, tf.float32)
    return tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(targets, logits)
    )


def top_k_accuracy(logits: tf.Tensor, targets: tf.Tensor, k: int) -> tf.Tensor:
    """Returns how often the label is among the k largest logits.

    The label is the class with the largest target; among equals, the first.

    Args:
        logits: float [B, L].
        targets: float32 [B, L].
        k: int in [1, L].

    Returns:
        float32 [], the mean over the batch.
    """
    label = tf.argmax(targets, axis=-1, output_type=tf.int32)  # [B]
    _, best = tf.math.top_k(tf.cast(logits, tf.float32), k)  # [B, k]
    is_among = tf.reduce_any(best == label[:, tf.newaxis], axis=-1)
    return tf.reduce_mean(tf.cast(is_among, tf.float32))
