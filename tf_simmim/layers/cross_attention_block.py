"""A block whose queries attend to other tokens, and not to each other.

Dimension key:
  B: batch   Q: number of queries   M: number of tokens   D: embed_dim
  K: num_heads   E: D / K
"""

import tensorflow as tf

from tf_simmim.layers import mlp
from tf_simmim.layers import truncated_normal


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class CrossAttentionBlock(tf.keras.layers.Layer):
    """Cross-attention, then an MLP, each on a residual branch.

        a = softmax(q(norm_1(x)) k(norm_2(t))^T / sqrt(E))
        x = x + projection(a v(norm_2(t)))
        x = x + mlp(norm_3(x))

    Each query is answered by itself: leaving one out changes no other.

    Args:
        num_heads: int > 0. Divides D.
        mlp_ratio: float > 0. Hidden width of the MLP over D.
        epsilon: float > 0. Of the norms; 1e-6 for ViT.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        queries: float [B, Q, D].
        tokens: float [B, M, D]. What they attend to.

    Returns:
        float [B, Q, D], in the layer's compute dtype. The softmax is in
        float32.

    Raises:
        ValueError: `num_heads` is not positive or does not divide D.

    Source: Fu et al., Rethinking Patch Dependence for Masked Autoencoders
        (CrossMAE), 2024, https://arxiv.org/abs/2401.14391, section 3.
    """

    def __init__(self, num_heads, mlp_ratio=4.0, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.mlp_ratio = mlp_ratio
        self.epsilon = epsilon
        self.query_norm, self.token_norm, self.mlp_norm = (
            tf.keras.layers.LayerNormalization(
                epsilon=epsilon, dtype=self.dtype_policy, name=name
            )
            for name in ("query_norm", "token_norm", "mlp_norm")
        )
        self.mlp = mlp.MLP(mlp_ratio, dtype=self.dtype_policy, name="mlp")

    def build(self, input_shape):
        embed_dim = input_shape[-1]
        if self.num_heads < 1 or embed_dim % self.num_heads:
            raise ValueError(
                "`num_heads` must be positive and divide embed_dim. Received: "
                f"num_heads={self.num_heads}, embed_dim={embed_dim}."
            )

        def dense(width, name):
            return tf.keras.layers.Dense(
                width,
                kernel_initializer=truncated_normal.TruncatedNormal(),
                dtype=self.dtype_policy,
                name=name,
            )

        self.query = dense(embed_dim, "query")
        self.key_value = dense(2 * embed_dim, "key_value")
        self.projection = dense(embed_dim, "projection")
        super().build(input_shape)

    def call(self, queries, tokens):
        tokens = self.token_norm(tokens)
        key, value = tf.split(self.key_value(tokens), 2, axis=-1)
        query = self._by_head(self.query(self.query_norm(queries)))
        query *= query.shape[-1] ** -0.5
        key, value = self._by_head(key), self._by_head(value)
        logits = tf.matmul(query, key, transpose_b=True)  # [B, K, Q, M]
        weights = tf.nn.softmax(tf.cast(logits, tf.float32))
        x = tf.matmul(tf.cast(weights, value.dtype), value)  # [B, K, Q, E]
        x = tf.transpose(x, [0, 2, 1, 3])  # [B, Q, K, E]
        queries += self.projection(tf.reshape(x, tf.shape(queries)))
        return queries + self.mlp(self.mlp_norm(queries))  # [B, Q, D]

    def _by_head(self, x):
        _, length, embed_dim = x.shape
        length = tf.shape(x)[1] if length is None else length
        shape = [-1, length, self.num_heads, embed_dim // self.num_heads]
        return tf.transpose(tf.reshape(x, shape), [0, 2, 1, 3])  # [B, K, M, E]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_ratio": self.mlp_ratio,
            "epsilon": self.epsilon,
        }
