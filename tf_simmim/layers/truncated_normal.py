"""Truncated normal initialiser with a chosen truncation bound."""

import math

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class TruncatedNormal(tf.keras.initializers.Initializer):
    """Normal numbers of `stddev`, cut (not clipped) at +-`bound` * `stddev`.

    Keras' own initialiser always cuts at two standard deviations. The SimMIM
    reference cuts at one when it pretrains a ViT, which makes the spread of
    the numbers 0.54 * `stddev`.

    Args:
        stddev: float > 0. Spread of the uncut normal distribution.
        bound: float in (0, 5]. Where to cut, in units of `stddev`. Further
            out, float32 cannot tell the tail from infinity.

    Raises:
        ValueError: `stddev` is not positive, or `bound` is not in (0, 5].

    Randomness: TensorFlow's global generator (`tf.random.set_seed`).

    Source: the reference code of Xie et al., SimMIM, 2021,
        https://arxiv.org/abs/2111.09886, models/vision_transformer.py.
    """

    def __init__(self, stddev=0.02, bound=1.0):
        if stddev <= 0 or not 0 < bound <= 5:
            raise ValueError(
                "`stddev` must be positive and `bound` lie in (0, 5]. "
                f"Received: stddev={stddev}, bound={bound}."
            )
        self.stddev = stddev
        self.bound = bound

    def __call__(self, shape, dtype=tf.float32, **kwargs):
        """Returns a tensor of `shape` and `dtype`."""
        # Inverse transform: erf(bound / sqrt(2)) is the mass inside the cut.
        mass = math.erf(self.bound / math.sqrt(2.0))
        uniform = tf.random.uniform(shape, -mass, mass, dtype=dtype)
        return self.stddev * math.sqrt(2.0) * tf.math.erfinv(uniform)

    def get_config(self):
        """Returns the constructor arguments."""
        return {"stddev": self.stddev, "bound": self.bound}
