"""Register tokens: learned vectors among the patches, for blocks to write on.

Dimension key:
  B: batch   M: number of tokens   R: num_tokens   D: embed_dim
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class RegisterTokens(tf.keras.layers.Layer):
    """Inserts learned tokens that stand for no patch and are read by no head.

        y[b] = [x[b, 0], ..., x[b, F - 1], r[0], ..., r[R - 1], x[b, F], ...]

    where F, `num_first`, tokens stay in front. A large ViT without them makes
    registers of patches that show little, which spoils its maps there.

    Args:
        num_tokens: int > 0, R. 4 in the paper.
        num_first: int >= 0, F; 1 where a class token stands in front.
        stddev: float > 0. Spread of the initial tokens, cut at one standard
            deviation; 1e-6 in the official code.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D].

    Returns:
        float [B, M + R, D], in the layer's compute dtype.

    Raises:
        ValueError: `num_tokens` or `stddev` is not positive, `num_first` is
            negative, or `tokens` is not [B, M, D].

    Source: Darcet et al., Vision Transformers Need Registers, 2023,
        https://arxiv.org/abs/2309.16588, section 2.2.
    """

    def __init__(self, num_tokens, num_first=1, stddev=1e-6, **kwargs):
        super().__init__(**kwargs)
        if num_tokens <= 0 or num_first < 0 or stddev <= 0:
            raise ValueError(
                "`num_tokens` and `stddev` must be positive and `num_first` "
                f"not negative. Received: num_tokens={num_tokens}, "
                f"num_first={num_first}, stddev={stddev}."
            )
        self.num_tokens = num_tokens
        self.num_first = num_first
        self.stddev = stddev

    def build(self, input_shape):
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(
                "`tokens` must be [batch, num_tokens, embed_dim] with a known "
                f"embed_dim. Received shape: {tuple(input_shape)}."
            )
        self.register_tokens = self.add_weight(
            name="register_tokens",
            shape=(1, self.num_tokens, input_shape[-1]),
            initializer=truncated_normal.TruncatedNormal(self.stddev),
        )
        super().build(input_shape)

    def call(self, tokens):
        first, rest = tokens[:, : self.num_first], tokens[:, self.num_first :]
        registers = tf.cast(self.register_tokens, tokens.dtype)  # [1, R, D]
        registers = tf.repeat(registers, tf.shape(tokens)[0], axis=0)
        return tf.concat([first, registers, rest], axis=1)  # [B, M + R, D]

    def get_config(self):
        return {
            **super().get_config(),
            "num_tokens": self.num_tokens,
            "num_first": self.num_first,
            "stddev": self.stddev,
        }
