"""Multi-head self-attention with an additive position bias.

Dimension key:
  B: batch   M: number of tokens   D: embed_dim
  K: num_heads   E: key_dim   V: value_dim   n: number of queries, M or fewer
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal

QKV_BIASES = ("query_value", "query_key_value", "none")
TAPS = ("queries", "keys", "values", "attention", "heads")
# Beside any logit in use, its softmax is exactly 0 in float32.
_HIDDEN_LOGIT = -1e9


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SelfAttention(tf.keras.layers.Layer):
    """Self-attention whose logits may carry a relative position bias.

        q, k, v = split(x W + [b_q, b_k, b_v])   [B, K, M, E], v: [B, K, M, V]
        y = concat_heads(softmax(q k^T / sqrt(E) + bias) v) W_o + b_o

    The softmax is computed in float32 under every precision.

    Args:
        num_heads: int > 0, K. Divides D where a width of heads follows from
            it.
        qkv_bias: "query_value" (the reference ViT: a bias on the keys shifts
            all logits of a query alike and so does nothing),
            "query_key_value" or "none".
        output_stddev: float > 0. Spread of the initial output projection. The
            reference's ViT divides 0.02 by sqrt(2 * number of the block).
        kernel_bound: float. Where the initial kernels are cut, see
            `TruncatedNormal`; 1 in the reference's ViT, not at all (5) in its
            Swin.
        key_dim: int > 0, E, the width of one head's queries and keys, or None
            for D / K, as in the paper.
        value_dim: int > 0, V, the width of one head's values; likewise.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D].
        position_bias: float [K, M, M], or [W, K, M, M] where the rows of the
            batch are W windows of one image after another; or None. Added to
            the logits.
        queries: int32 [B, n] or None. Numbers of the tokens to compute, each
            of which attends to all; None for all. Not with a bias a window.
        hidden_tokens: bool [B, M] or None. True = attended to by none.
        token_sizes: float [B, M] or None. How many tokens each one stands
            for: s is attended to as s alike would be, by log(s) in its logits.
        taps: tuple of words in `TAPS`. What to return besides.

    Returns:
        float [B, n, D], in the layer's compute dtype. With `taps`, (that,
        dict by their names): `queries` [B, K, n, E] before they are scaled,
        `keys` [B, K, M, E], `values` [B, K, M, V], `attention` float32
        [B, K, n, M], the softmax, and `heads` [B, K, n, V], what each head
        reads.

    Raises:
        ValueError: `num_heads` does not divide D, and a width of heads is not
            given; a width or number is not positive; or `qkv_bias` is unknown.

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
        key_dim=None,
        value_dim=None,
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
        self.key_dim = key_dim
        self.value_dim = value_dim

    def build(self, input_shape):
        embed_dim = input_shape[-1]
        query, _, value = widths = self._widths(embed_dim)
        self.qkv_kernel = self.add_weight(
            name="qkv_kernel",
            shape=(embed_dim, sum(widths)),
            initializer=truncated_normal.TruncatedNormal(
                bound=self.kernel_bound
            ),
        )
        # One vector where there are all three, as Swin's weights have it.
        names = {
            "query_value": {"query": query, "value": value},
            "query_key_value": {"qkv": sum(widths)},
            "none": {},
        }[self.qkv_bias]
        self.biases = {
            name: self.add_weight(
                name=f"{name}_bias",
                shape=(width,),
                initializer="zeros",
            )
            for name, width in names.items()
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

    def _widths(self, embed_dim):
        """Returns the widths of all queries, of all keys and of all values."""
        dims = (self.key_dim, self.value_dim)
        follows = None in dims
        if self.num_heads <= 0 or (follows and embed_dim % self.num_heads):
            raise ValueError(
                "`num_heads` must be positive and divide embed_dim. Received: "
                f"num_heads={self.num_heads}, embed_dim={embed_dim}."
            )
        if any(dim is not None and dim <= 0 for dim in dims):
            raise ValueError(
                "`key_dim` and `value_dim` must be positive or None. "
                f"Received: {self.key_dim}, {self.value_dim}."
            )
        key, value = (
            embed_dim if dim is None else self.num_heads * dim for dim in dims
        )
        return key, key, value

    def call(
        self,
        tokens,
        position_bias=None,
        queries=None,
        hidden_tokens=None,
        token_sizes=None,
        taps=(),
    ):
        kernel, bias = self.qkv_kernel, self._qkv_bias(tokens.dtype)
        widths = self._widths(tokens.shape[-1])
        if queries is None:
            q, k, v = self._heads(tokens, kernel, bias, widths)
        else:
            own = tf.gather(tokens, queries, batch_dims=1)  # [B, n, D]
            width = widths[0]
            query_bias = key_value_bias = None
            if bias is not None:
                query_bias, key_value_bias = bias[:width], bias[width:]
            (q,) = self._heads(own, kernel[:, :width], query_bias, widths[:1])
            k, v = self._heads(
                tokens, kernel[:, width:], key_value_bias, widths[1:]
            )

        logits = self._logits(q, k)  # [B, K, n, M]
        if position_bias is not None:
            position_bias = tf.cast(position_bias, tf.float32)
            logits = _add_bias(logits, position_bias, queries)
        if token_sizes is not None:
            log_sizes = tf.math.log(tf.cast(token_sizes, tf.float32))
            logits += log_sizes[:, tf.newaxis, tf.newaxis]  # [B, 1, 1, M]
        if hidden_tokens is not None:
            # A number, not -inf: where all are hidden, that would be NaN.
            hidden = hidden_tokens[:, tf.newaxis, tf.newaxis]  # [B, 1, 1, M]
            logits = tf.where(hidden, _HIDDEN_LOGIT, logits)
        weights = tf.nn.softmax(logits)  # [B, K, n, M]
        heads = tf.matmul(tf.cast(weights, v.dtype), v)  # [B, K, n, V]
        x = tf.transpose(heads, [0, 2, 1, 3])  # [B, n, K, V]
        x = tf.reshape(x, [-1, x.shape[1], widths[2]])  # [B, n, K * V]
        x = self.projection(x)  # [B, n, D]
        if not taps:
            return x
        tapped = dict(zip(TAPS, (q, k, v, weights, heads), strict=True))
        return x, {name: tapped[name] for name in taps}

    def _qkv_bias(self, dtype):
        """Returns the biases of queries, keys and values in one, or None."""
        if self.qkv_bias == "none":
            return None
        if self.qkv_bias == "query_key_value":
            return tf.cast(self.biases["qkv"], dtype)
        query, value = (
            tf.cast(self.biases[name], dtype) for name in ("query", "value")
        )
        return tf.concat([query, tf.zeros_like(query), value], axis=0)

    def _heads(self, tokens, kernel, bias, widths):
        """Projects tokens; returns a [B, K, M, width / K] for each width."""
        x = tf.tensordot(tokens, kernel, 1)
        if bias is not None:
            x += bias
        shape = [-1, tokens.shape[1], self.num_heads]
        if len(set(widths)) > 1:
            return [
                tf.transpose(
                    tf.reshape(part, [*shape, width // self.num_heads]),
                    [0, 2, 1, 3],
                )
                for part, width in zip(
                    tf.split(x, widths, axis=-1), widths, strict=True
                )
            ]
        head_dim = widths[0] // self.num_heads
        shape = [*shape[:2], len(widths), self.num_heads, head_dim]
        x = tf.transpose(tf.reshape(x, shape), [2, 0, 3, 1, 4])
        return tf.unstack(x)

    def _logits(self, query, key):
        query *= query.shape[-1] ** -0.5
        return tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)

    @staticmethod
    def cost(
        *, embed_dim, num_heads, key_dim, value_dim, qkv_bias, num_tokens
    ) -> tuple[int, int]:
        """Returns (weights, multiply-adds for one softmax) by the sizes alone.

        Args:
            embed_dim: int, D.
            num_heads: int, K.
            key_dim: int, E.
            value_dim: int, V.
            qkv_bias: one of `QKV_BIASES`.
            num_tokens: int, M.
        """
        keys, values = num_heads * key_dim, num_heads * value_dim
        num_biases = {
            "query_value": keys + values,
            "query_key_value": 2 * keys + values,
            "none": 0,
        }[qkv_bias]
        kernels = embed_dim * (2 * keys + 2 * values)
        of_pairs = num_tokens**2 * (keys + values)
        weights = kernels + num_biases + embed_dim
        return weights, num_tokens * kernels + of_pairs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "qkv_bias": self.qkv_bias,
            "output_stddev": self.output_stddev,
            "kernel_bound": self.kernel_bound,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
        }


def _add_bias(logits, bias, queries):
    """Adds a bias per window: row b of the batch is window b mod W."""
    if queries is not None:
        # Along axis 1 the gradient is dense, see `RelativePositionBias`.
        rows = tf.gather(bias, queries, axis=1)  # [K, B, n, M]
        return logits + tf.transpose(rows, [1, 0, 2, 3])
    if bias.shape.rank == 3:
        return logits + bias
    num_windows, num_heads, num_tokens, _ = bias.shape
    shape = [-1, num_windows, num_heads, num_tokens, num_tokens]
    by_image = tf.reshape(logits, shape) + bias  # [B, W, K, M, M]
    return tf.reshape(by_image, [-1, num_heads, num_tokens, num_tokens])


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class MultiHeadAttention(SelfAttention):
    """The same under its name in version 0.1.0, for files of that version.

    Keras has a layer of this name, and finds weights in files by it. Not
    public: make a `SelfAttention`.
    """
