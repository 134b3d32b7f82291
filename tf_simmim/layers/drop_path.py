"""Drop path (stochastic depth): leaves a residual branch out at random."""

import tensorflow as tf

from tf_simmim import randomness


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class DropPath(tf.keras.layers.Layer):
    """Zeroes the whole branch of some samples, and scales the others up.

    In training, for a uniform number u per sample:

        y[b] = x[b] / (1 - rate)   where u[b] >= rate
        y[b] = 0                   elsewhere

    and y = x otherwise.

    Args:
        rate: float in [0, 1). Probability of leaving the branch out.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        inputs: float [batch, ...]. The output of a residual branch.
        seed: int64 [2] or None. One seed for the global batch, see
            `randomness.uniform_per_sample`; None draws one from TensorFlow's
            global generator, which no checkpoint keeps.
        training: bool.

    Returns:
        float, the shape of `inputs`, in the layer's compute dtype.

    Raises:
        ValueError: `rate` is outside [0, 1).

    Randomness: given a seed, a function of it and the sample's place in the
        global batch, so that resumed runs and any number of replicas agree.

    Source: Huang et al., Deep Networks with Stochastic Depth, 2016,
        https://arxiv.org/abs/1603.09382, scaled in training as in timm.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must lie in [0, 1). Received: {rate}.")
        self.rate = rate

    def call(self, inputs, seed=None, training=None):
        if not training or self.rate == 0:
            return inputs
        if seed is None:
            seed = tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)
        batch_size = tf.shape(inputs)[0]
        numbers = randomness.uniform_per_sample(batch_size, (), seed)
        keep = tf.cast(numbers >= self.rate, inputs.dtype) / (1.0 - self.rate)
        ones = [1] * (len(inputs.shape) - 1)
        return inputs * tf.reshape(keep, [batch_size, *ones])

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
