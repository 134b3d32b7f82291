"""A convolution and a layer norm: what pyramids and dense heads consist of.

Dimension key:
  B: batch   h w: map   D: its features   F: filters
"""

import tensorflow as tf

from tf_simmim.layers import fan_in_uniform


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class NormalizedConvolution(tf.keras.layers.Layer):
    """Convolves a map without bias, then normalises each of its places.

        y = activation(norm(conv(x)))

    Args:
        filters: int > 0, F.
        kernel_size: int > 0, cells. The map keeps its size.
        activation: str or None. A Keras activation.
        epsilon: float > 0. Of the layer norm; ViTDet's code has 1e-6.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        inputs: float [B, h, w, D].

    Returns:
        float [B, h, w, F], in the compute dtype.

    Source: Li et al., Exploring Plain Vision Transformer Backbones for Object
        Detection, 2022, https://arxiv.org/abs/2203.16527, appendix A.2. A
        norm of each place is the same for any batch and in any number of
        replicas, which batch norm is not.
    """

    def __init__(
        self, filters, kernel_size=3, activation=None, epsilon=1e-6, **kwargs
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.activation = activation
        self.epsilon = epsilon
        self.convolution = tf.keras.layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            use_bias=False,
            kernel_initializer=fan_in_uniform.FanInUniform(),
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.norm = tf.keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.activate = tf.keras.activations.get(activation)

    def call(self, inputs):
        return self.activate(self.norm(self.convolution(inputs)))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "activation": self.activation,
            "epsilon": self.epsilon,
        }
