"""Class token: one learned vector in front of the sequence of patches.

Dimension key:
  B: batch   N: number of patches   D: embed_dim
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class ClassToken(tf.keras.layers.Layer):
    """Prepends a learned token that every patch can attend to.

        y[b] = [t, x[b, 0], ..., x[b, N - 1]]

    It is never masked and SimMIM predicts nothing from it; it is there
    because the reference ViT has it.

    Args:
        stddev: float > 0. Spread of the initial token, cut at one standard
            deviation. 0.02 as in the reference.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, N, D].

    Returns:
        float [B, N + 1, D], in the layer's compute dtype.

    Raises:
        ValueError: `stddev` is not positive or `tokens` is not [B, N, D].

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2020,
        https://arxiv.org/abs/2010.11929, equation 1.
    """

    def __init__(self, stddev=0.02, **kwargs):
        super().__init__(**kwargs)
        if stddev <= 0:
            raise ValueError(f"`stddev` must be positive. Received: {stddev}.")
        self.stddev = stddev

    def build(self, input_shape):
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(
                "`tokens` must be [batch, num_patches, embed_dim] with a known "
                f"embed_dim. Received shape: {tuple(input_shape)}."
            )
        self.class_token = self.add_weight(
            name="class_token",
            shape=(1, 1, input_shape[-1]),
            initializer=truncated_normal.TruncatedNormal(self.stddev),
        )
        super().build(input_shape)

    def call(self, tokens):
        token = tf.cast(self.class_token, tokens.dtype)  # [1, 1, D]
        token = tf.repeat(token, tf.shape(tokens)[0], axis=0)  # [B, 1, D]
        return tf.concat([token, tokens], axis=1)  # [B, N + 1, D]

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}
