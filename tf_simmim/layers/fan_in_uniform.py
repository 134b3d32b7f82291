"""PyTorch's initialiser of convolutions and linear layers."""

import math

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class FanInUniform(tf.keras.initializers.Initializer):
    """Uniform numbers in +-1/sqrt(n), where n inputs feed every output.

    For a kernel [..., in, out], n is the product of all sizes but the last.

    Randomness: TensorFlow's global generator (`tf.random.set_seed`).

    Source: the first values of `torch.nn.Conv2d`, which the reference code of
        Xie et al., SimMIM, 2021, leaves Swin's patch embedding at.
    """

    def __call__(self, shape, dtype=tf.float32, **kwargs):
        """Returns a tensor of `shape` and `dtype`."""
        limit = math.prod(shape[:-1]) ** -0.5
        return tf.random.uniform(shape, -limit, limit, dtype=dtype)

    def get_config(self):
        """Returns the constructor arguments: none."""
        return {}
