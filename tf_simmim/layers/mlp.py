"""The two-layer perceptron of a transformer block.

Dimension key:
  B: batch   M: number of tokens   D: embed_dim
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal
from tf_simmim.layers.gelu import gelu


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
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D], or [B, h, w, D].

    Returns:
        float, the shape of `tokens`, in the layer's compute dtype.

    Raises:
        ValueError: `mlp_ratio` is not positive.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2020,
        https://arxiv.org/abs/2010.11929, section 3.1. GELU is the exact form,
        as in the reference.
    """

    def __init__(
        self, mlp_ratio=4.0, output_stddev=0.02, kernel_bound=1.0, **kwargs
    ):
        super().__init__(**kwargs)
        if mlp_ratio <= 0:
            raise ValueError(
                f"`mlp_ratio` must be positive. Received: {mlp_ratio}."
            )
        self.mlp_ratio = mlp_ratio
        self.output_stddev = output_stddev
        self.kernel_bound = kernel_bound

    def build(self, input_shape):
        embed_dim = input_shape[-1]
        self.expand = tf.keras.layers.Dense(
            int(embed_dim * self.mlp_ratio),
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

    def call(self, tokens):
        return self.project(gelu(self.expand(tokens)))  # [..., D]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "mlp_ratio": self.mlp_ratio,
            "output_stddev": self.output_stddev,
            "kernel_bound": self.kernel_bound,
        }
