"""The two-layer perceptron of a transformer block.

Dimension key:
  B: batch   M: number of tokens   D: embed_dim   Q: hidden_dim
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal
from tf_simmim.layers.gelu import gelu

TAPS = ("mlp_hidden",)


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class MLP(tf.keras.layers.Layer):
    """Widens each token, applies GELU, and projects back.

        y = gelu(x W_1 + b_1) W_2 + b_2,   gelu(x) = x (1 + erf(x/sqrt(2))) / 2

    Args:
        mlp_ratio: float > 0. Hidden width over D; 4 as in the reference.
        output_stddev: float > 0. Spread of the initial W_2. The reference
            divides 0.02 by sqrt(2 * number of the block).
        kernel_bound: float. Where the initial kernels are cut, see
            `TruncatedNormal`.
        hidden_dim: int > 0, Q, or None for the whole part of `mlp_ratio` * D.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D], or [B, h, w, D].
        taps: ("mlp_hidden",) or (). What to return besides.

    Returns:
        float, the shape of `tokens`, in the layer's compute dtype. With a tap,
        (that, {"mlp_hidden": float [B, M, Q], or [B, h, w, Q], after GELU}).

    Raises:
        ValueError: `mlp_ratio` or `hidden_dim` is not positive.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2020,
        https://arxiv.org/abs/2010.11929, section 3.1. GELU is the exact form,
        as in the reference.
    """

    def __init__(
        self,
        mlp_ratio=4.0,
        output_stddev=0.02,
        kernel_bound=1.0,
        hidden_dim=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if mlp_ratio <= 0:
            raise ValueError(
                f"`mlp_ratio` must be positive. Received: {mlp_ratio}."
            )
        if hidden_dim is not None and hidden_dim <= 0:
            raise ValueError(
                "`hidden_dim` must be positive or None. "
                f"Received: {hidden_dim}."
            )
        self.mlp_ratio = mlp_ratio
        self.output_stddev = output_stddev
        self.kernel_bound = kernel_bound
        self.hidden_dim = hidden_dim

    def build(self, input_shape):
        embed_dim = input_shape[-1]
        hidden_dim = self.hidden_dim
        if hidden_dim is None:
            hidden_dim = int(embed_dim * self.mlp_ratio)
        self.expand = tf.keras.layers.Dense(
            hidden_dim,
            kernel_initializer=truncated_normal.TruncatedNormal(
                bound=self.kernel_bound
            ),
            dtype=self.dtype_policy,
            name="expand",
        )
        self.project = tf.keras.layers.Dense(
            embed_dim,
            kernel_initializer=truncated_normal.TruncatedNormal(
                self.output_stddev, self.kernel_bound
            ),
            dtype=self.dtype_policy,
            name="project",
        )
        super().build(input_shape)

    def call(self, tokens, taps=()):
        hidden = gelu(self.expand(tokens))  # [..., Q]
        y = self.project(hidden)  # [..., D]
        return (y, {name: hidden for name in taps}) if taps else y

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "mlp_ratio": self.mlp_ratio,
            "output_stddev": self.output_stddev,
            "kernel_bound": self.kernel_bound,
            "hidden_dim": self.hidden_dim,
        }
