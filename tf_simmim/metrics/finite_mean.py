"""The mean of those numbers that are numbers."""

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class FiniteMean(tf.keras.metrics.Mean):
    """Mean of the finite values since the last reset; NaN if there were none.

    A loss that is not finite says nothing about the others of an interval,
    and an interval without a loss must not look like one of zero.

    Args:
        name: str.
        dtype: as for `tf.keras.metrics.Mean`.

    Call arguments of `update_state`:
        value: float [].
        sample_weight: float or int [], or None for 1.

    Returns:
        float32 [].
    """

    def update_state(self, value, sample_weight=None):
        weight = 1.0 if sample_weight is None else sample_weight
        is_finite = tf.math.is_finite(value)
        return super().update_state(
            tf.where(is_finite, value, 0.0),
            tf.where(is_finite, tf.cast(weight, tf.float32), 0.0),
        )

    def result(self):
        count = tf.convert_to_tensor(self.count)
        return tf.where(count > 0, super().result(), float("nan"))
