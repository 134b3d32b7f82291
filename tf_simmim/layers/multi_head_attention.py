"""Multi-head self-attention with an additive position bias.

Dimension key:
  B: batch   M: number of tokens   D: embed_dim
  K: num_heads   E: width of one head = D/K
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal

QKV_BIASES = ("query_value", "query_key_value", "none")


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class MultiHeadAttention(tf.keras.layers.Layer):
    """Self-attention whose logits may carry a relative position bias.

        q, k, v = split(x W + [b_q, b_k, b_v])              each [B, K, M, E]
        y = concat_heads(softmax(q k^T / sqrt(E) + bias) v) W_o + b_o

    The softmax is computed in float32 under every precision.

    Args:
        num_heads: int > 0, K. Divides D.
        qkv_bias: "query_value" (the reference ViT: a bias on the keys shifts
            all logits of a query alike and so does nothing),
            "query_key_value" or "none".
        output_stddev: float > 0. Spread of the initial output projection. The
            reference's ViT divides 0.02 by sqrt(2 * number of the block).
        kernel_bound: float. Where the initial kernels are cut, see
            `TruncatedNormal`; 1 in the reference's ViT, not at all (5) in its
            Swin.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D].
        position_bias: float [K, M, M], or [W, K, M, M] where the rows of the
            batch are W windows of one image after another; or None. Added to
            the logits.

    Returns:
        float [B, M, D], in the layer's compute dtype.

    Raises:
        ValueError: `num_heads` does not divide D, or `qkv_bias` is unknown.

    Source: Vaswani et al., Attention Is All You Need, 2017,
        https://arxiv.org/abs/1706.03762; biases and initial values as in the
        reference code of Xie et al., SimMIM, 2021.
    """

    def __init__(
        self,
        num_heads,
        qkv_bias="query_value",
        output_stddev=0.02,
        kernel_bound=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if qkv_bias not in QKV_BIASES:
            raise ValueError(
                f"`qkv_bias` must be one of {QKV_BIASES}. "
                f"Received: {qkv_bias!r}."
            )
        self.num_heads = num_heads
        self.qkv_bias = qkv_bias
        self.output_stddev = output_stddev
        self.kernel_bound = kernel_bound

    def build(self, input_shape):
        embed_dim = input_shape[-1]
        if self.num_heads <= 0 or embed_dim % self.num_heads:
            raise ValueError(
                "`num_heads` must be positive and divide embed_dim. Received: "
                f"num_heads={self.num_heads}, embed_dim={embed_dim}."
            )
        self.qkv_kernel = self.add_weight(
            name="qkv_kernel",
            shape=(embed_dim, 3 * embed_dim),
            initializer=truncated_normal.TruncatedNormal(
                bound=self.kernel_bound
            ),
        )
        # One vector where there are all three, as Swin's weights have it.
        names = {
            "query_value": {"query": 1, "value": 1},
            "query_key_value": {"qkv": 3},
            "none": {},
        }[self.qkv_bias]
        self.biases = {
            name: self.add_weight(
                name=f"{name}_bias",
                shape=(num_parts * embed_dim,),
                initializer="zeros",
            )
            for name, num_parts in names.items()
        }
        self.projection = tf.keras.layers.Dense(
            embed_dim,
            kernel_initializer=truncated_normal.TruncatedNormal(
                self.output_stddev, self.kernel_bound
            ),
            dtype=self.dtype_policy,
            name="projection",
        )
        super().build(input_shape)

    def call(self, tokens, position_bias=None):
        embed_dim = tokens.shape[-1]
        batch, num_tokens = tf.shape(tokens)[0], tokens.shape[1]
        head_dim = embed_dim // self.num_heads

        qkv = tf.matmul(tokens, self.qkv_kernel)
        if self.qkv_bias == "query_key_value":
            qkv += self.biases["qkv"]
        elif self.qkv_bias == "query_value":
            query, value = self.biases["query"], self.biases["value"]
            zeros = tf.zeros([embed_dim], qkv.dtype)
            qkv += tf.concat([query, zeros, value], axis=0)
        qkv = tf.reshape(qkv, [batch, num_tokens, 3, self.num_heads, head_dim])
        q, k, v = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))  # [B, K, M, E]

        logits = self._logits(q, k)  # [B, K, M, M]
        if position_bias is not None:
            logits = _add_bias(logits, tf.cast(position_bias, tf.float32))
        weights = tf.cast(tf.nn.softmax(logits), v.dtype)
        x = tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3])  # [B, M, K, E]
        x = tf.reshape(x, [batch, num_tokens, embed_dim])  # [B, M, D]
        return self.projection(x)

    def _logits(self, query, key):
        query *= query.shape[-1] ** -0.5
        return tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "qkv_bias": self.qkv_bias,
            "output_stddev": self.output_stddev,
            "kernel_bound": self.kernel_bound,
        }


def _add_bias(logits, bias):
    """Adds a bias per window: row b of the batch is window b mod W."""
    if bias.shape.rank == 3:
        return logits + bias
    num_windows, num_heads, num_tokens, _ = bias.shape
    shape = [-1, num_windows, num_heads, num_tokens, num_tokens]
    by_image = tf.reshape(logits, shape) + bias  # [B, W, K, M, M]
    return tf.reshape(by_image, [-1, num_heads, num_tokens, num_tokens])
