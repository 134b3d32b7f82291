"""Continuous position bias: a small network tells the bias of an offset.

Dimension key:
  B: batch   h w: window, in cells   M: h*w, row-major   D: width
  K: num_heads   R: number of offsets = (2h - 1)(2w - 1)
"""

import numpy as np
import tensorflow as tf

from tf_simmim import sizes
from tf_simmim.layers import relative_position_bias
from tf_simmim.layers import truncated_normal

# The offset to the window's edge, before its logarithm is taken.
_LARGEST_OFFSET = 8.0
_LARGEST_BIAS = 16.0
HIDDEN_UNITS = 512


def log_spaced_offsets(window_size: tuple[int, int]) -> np.ndarray:
    """Returns float32 [R, 2]: (row, column) offsets in the window, log-spaced.

    With d the offset over the window's largest, in [-1, 1]:

        sign(d) log2(1 + 8 |d|) / log2(8)

    Row-major, from (-(h - 1), -(w - 1)); the order of the rows of a
    `RelativePositionBias` table.
    """
    axes = [np.arange(1.0 - side, side) for side in window_size]
    axes = [axis / max(axis[-1], 1.0) * _LARGEST_OFFSET for axis in axes]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    logs = np.log2(1 + np.abs(offsets)) / np.log2(_LARGEST_OFFSET)
    return (np.sign(offsets) * logs).reshape(-1, 2).astype(np.float32)


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class ContinuousPositionBias(tf.keras.layers.Layer):
    """A number per head for every offset, computed from the offset.

        bias[k, m, m'] = 16 sigmoid(relu(o[m, m'] W_1 + b_1) W_2)[k]

    to be added to the attention logits, for the log-spaced offset o between
    two tokens of a window. Unlike a `RelativePositionBias`, its weights do not
    depend on the window: they fit any other, on which they are stretched.

    Args:
        grid_size: (h, w), the window, cells.
        num_heads: int > 0, K.
        hidden_units: int > 0. 512 in the official code.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D]. Read for its number of tokens alone.

    Returns:
        float32 [K, M, M] under every precision: logits can be large.

    Raises:
        ValueError: `num_heads` or `hidden_units` is not positive, or M does
            not fit the window.

    Source: Liu et al., Swin Transformer V2, 2021,
        https://arxiv.org/abs/2111.09883, section 3.3, equations 3 and 4; the
        factors 8 and 16, the sigmoid and the first values as in the official
        code.
    """

    def __init__(
        self, grid_size, num_heads, hidden_units=HIDDEN_UNITS, **kwargs
    ):
        super().__init__(**kwargs)
        if num_heads <= 0 or hidden_units <= 0:
            raise ValueError(
                "`num_heads` and `hidden_units` must be positive. Received: "
                f"num_heads={num_heads}, hidden_units={hidden_units}."
            )
        self.grid_size = sizes.as_pair(grid_size, "grid_size")
        self.num_heads = num_heads
        self.hidden_units = hidden_units

    def build(self, input_shape):
        self._index = relative_position_bias.relative_position_index(
            self.grid_size, class_token=False
        )
        self._offsets = log_spaced_offsets(self.grid_size)
        num_tokens = len(self._index)
        if len(input_shape) != 3 or input_shape[1] not in (num_tokens, None):
            raise ValueError(
                f"`tokens` must be [batch, {num_tokens}, embed_dim] for the "
                f"window {self.grid_size}. "
                f"Received shape: {tuple(input_shape)}."
            )
        # Names of their own, by which they are exempt from weight decay.
        weights = {
            "hidden_kernel": (2, self.hidden_units),
            "hidden_bias": (self.hidden_units,),
            "output_kernel": (self.hidden_units, self.num_heads),
        }
        for name, shape in weights.items():
            initializer = truncated_normal.TruncatedNormal(bound=5.0)
            weight = self.add_weight(
                name=f"position_{name}",
                shape=shape,
                initializer="zeros" if name == "hidden_bias" else initializer,
                experimental_autocast=False,  # stays float32
            )
            setattr(self, name, weight)
        super().build(input_shape)

    def call(self, tokens):
        hidden = tf.matmul(self._offsets, self.hidden_kernel)
        hidden = tf.nn.relu(hidden + self.hidden_bias)  # [R, hidden_units]
        table = tf.matmul(hidden, self.output_kernel)  # [R, K]
        heads_first = tf.transpose(_LARGEST_BIAS * tf.sigmoid(table))  # [K, R]
        return tf.gather(heads_first, self._index, axis=1)  # [K, M, M]

    def get_config(self):
        return {
            **super().get_config(),
            "grid_size": self.grid_size,
            "num_heads": self.num_heads,
            "hidden_units": self.hidden_units,
        }
