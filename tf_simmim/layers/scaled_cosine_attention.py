"""Multi-head self-attention that compares directions, not lengths.

Dimension key:
  B: batch   M: number of tokens   D: embed_dim
  K: num_heads   E: key_dim   n: number of queries, M or fewer
"""

import math

import tensorflow as tf

from tf_simmim.layers import self_attention

_FIRST_SCALE = 10.0
_LARGEST_SCALE = 100.0


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class ScaledCosineAttention(self_attention.SelfAttention):
    """Self-attention whose logits are cosines times a learned scale a head.

        logits[b, k] = cos(q[b, k], k[b, k]) * min(exp(s[k]), 100) + bias

    for the learned `logit_scale` s, which begins at log 10; everything else is
    as in `SelfAttention`. No pair of tokens can dominate by its length,
    which keeps large models stable.

    Args:
        num_heads: int > 0, K. Divides D.
        qkv_bias: "query_value" (as in the official code), "query_key_value"
            or "none".
        output_stddev: see `SelfAttention`.
        kernel_bound: see `SelfAttention`; not cut in the official code.
        key_dim: see `SelfAttention`.
        value_dim: see `SelfAttention`.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D].
        position_bias: float [K, M, M], or [W, K, M, M]; or None. See
            `SelfAttention`.
        queries: int32 [B, n] or None. See `SelfAttention`.
        hidden_tokens: bool [B, M] or None. See `SelfAttention`.
        token_sizes: float [B, M] or None. See `SelfAttention`.
        taps: tuple of words. See `SelfAttention`.

    Returns:
        float [B, n, D], in the layer's compute dtype; or with taps, see
        `SelfAttention`.

    Raises:
        ValueError: see `SelfAttention`.

    Source: Liu et al., Swin Transformer V2, 2021,
        https://arxiv.org/abs/2111.09883, section 3.2, equation 2. First value
        and limit of the scale as in the official code.
    """

    def __init__(
        self,
        num_heads,
        qkv_bias="query_value",
        output_stddev=0.02,
        kernel_bound=5.0,
        key_dim=None,
        value_dim=None,
        **kwargs,
    ):
        super().__init__(
            num_heads=num_heads,
            qkv_bias=qkv_bias,
            output_stddev=output_stddev,
            kernel_bound=kernel_bound,
            key_dim=key_dim,
            value_dim=value_dim,
            **kwargs,
        )

    def build(self, input_shape):
        super().build(input_shape)
        self.logit_scale = self.add_weight(
            name="logit_scale",
            shape=(self.num_heads, 1, 1),
            initializer=tf.keras.initializers.Constant(math.log(_FIRST_SCALE)),
            experimental_autocast=False,  # stays float32
        )

    @staticmethod
    def cost(*, num_heads, **sizes) -> tuple[int, int]:
        """Returns the cost of `SelfAttention`, and a weight for each head."""
        weights, products = self_attention.SelfAttention.cost(
            num_heads=num_heads, **sizes
        )
        return weights + num_heads, products

    def _logits(self, query, key):
        query, key = (
            tf.cast(_directions(vectors), vectors.dtype)
            for vectors in (query, key)
        )
        cosines = tf.cast(
            tf.matmul(query, key, transpose_b=True), tf.float32
        )  # [B, K, n, M]
        limit = math.log(_LARGEST_SCALE)
        return cosines * tf.exp(tf.minimum(self.logit_scale, limit))


def _directions(vectors):
    """Returns the vectors at length 1, in float32; those of length 0 stay."""
    vectors = tf.cast(vectors, tf.float32)
    return tf.math.l2_normalize(vectors, axis=-1, epsilon=1e-24)
