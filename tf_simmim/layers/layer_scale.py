"""LayerScale: a learned factor per channel on a residual branch."""

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class LayerScale(tf.keras.layers.Layer):
    """Multiplies each channel by a learned factor: y = gamma * x.

    Args:
        initial_value: float. The first gamma of every channel; 0.1 as in the
            reference.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        inputs: float [batch, ..., embed_dim].

    Returns:
        float, the shape of `inputs`, in the layer's compute dtype.

    Source: Touvron et al., Going deeper with Image Transformers, 2021,
        https://arxiv.org/abs/2103.17239, section 2.
    """

    def __init__(self, initial_value=0.1, **kwargs):
        super().__init__(**kwargs)
        self.initial_value = initial_value

    def build(self, input_shape):
        self.gamma = self.add_weight(
            name="gamma",
            shape=(input_shape[-1],),
            initializer=tf.keras.initializers.Constant(self.initial_value),
        )
        super().build(input_shape)

    def call(self, inputs):
        return inputs * self.gamma

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "initial_value": self.initial_value}
