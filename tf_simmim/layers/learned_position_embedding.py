"""Learned absolute position embedding.

Dimension key:
  B: batch   M: number of tokens, the class token included   D: embed_dim
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class LearnedPositionEmbedding(tf.keras.layers.Layer):
    """Adds one learned vector per position to the tokens.

        y[b, m] = x[b, m] + p[m]

    Args:
        stddev: float > 0. Spread of the initial vectors, cut at one standard
            deviation. 0.02 as in the reference.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D], with M and D known.

    Returns:
        float [B, M, D], in the layer's compute dtype.

    Raises:
        ValueError: `stddev` is not positive, or `tokens` is not [B, M, D]
            with known M and D.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2020,
        https://arxiv.org/abs/2010.11929, equation 1.
    """

    def __init__(self, stddev=0.02, **kwargs):
        super().__init__(**kwargs)
        if stddev <= 0:
            raise ValueError(f"`stddev` must be positive. Received: {stddev}.")
        self.stddev = stddev

    def build(self, input_shape):
        if len(input_shape) != 3 or None in input_shape[1:]:
            raise ValueError(
                "`tokens` must be [batch, num_tokens, embed_dim] with known "
                "num_tokens and embed_dim. "
                f"Received shape: {tuple(input_shape)}."
            )
        self.position_embedding = self.add_weight(
            name="position_embedding",
            shape=(1, *input_shape[1:]),
            initializer=truncated_normal.TruncatedNormal(self.stddev),
        )
        super().build(input_shape)

    def call(self, tokens):
        return tokens + tf.cast(self.position_embedding, tokens.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}
