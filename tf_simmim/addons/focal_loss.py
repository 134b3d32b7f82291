"""Focal loss, for Python versions that tensorflow-addons does not run on."""

import tensorflow as tf


@tf.function
def sigmoid_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False
) -> tf.Tensor:
    """Returns the focal loss of classes that do not exclude each other.

        sum_l -alpha[l] * (1 - p[l])^gamma * log(p[l])

    where p[l] is the probability given to the truth of class l, and alpha[l]
    is `alpha` where the class is there and 1 - `alpha` where it is not. The
    values and gradients have the bits of tensorflow-addons' function.

    Args:
        y_true: float [..., L]. 1 where a class is there, else 0.
        y_pred: float [..., L]. Probabilities, or logits.
        alpha: float in (0, 1). Default: the paper's, section 5.1.
        gamma: float > 0. Default: likewise.
        from_logits: bool, whether `y_pred` are logits.

    Returns:
        [...], of `y_pred`'s dtype.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017,
        https://arxiv.org/abs/1708.02002, equation 5.
    """
    y_pred = tf.convert_to_tensor(y_pred)
    y_true = tf.cast(y_true, y_pred.dtype)
    entropy = tf.keras.backend.binary_crossentropy(
        y_true, y_pred, from_logits=from_logits
    )
    p = tf.sigmoid(y_pred) if from_logits else y_pred
    p_of_truth = y_true * p + (1 - y_true) * (1 - p)
    weight = y_true * alpha + (1 - y_true) * (1 - alpha)
    hardness = tf.pow(1 - p_of_truth, gamma)
    return tf.reduce_sum(weight * hardness * entropy, axis=-1)
