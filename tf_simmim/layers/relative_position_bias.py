"""Relative position bias: attention depends on how far two patches lie apart.

Dimension key:
  B: batch   h w: grid of patches   N: h*w   K: num_heads
  M: number of tokens = N, + 1 with the class token, + register tokens
  R: rows of the table = (2h - 1)(2w - 1), + 3 with the class token
"""

import numpy as np
import tensorflow as tf

from tf_simmim import sizes
from tf_simmim.layers import truncated_normal


def relative_position_index(
    grid_size: tuple[int, int], class_token: bool, register_tokens: int = 0
) -> np.ndarray:
    """Returns int32 [M, M]: which row of the table a pair of tokens uses.

    Patches (r, c) and (r', c') use row (r - r' + h - 1) * (2w - 1) +
    (c - c' + w - 1). With a class token in front, the last three rows are:
    class to patch, patch to class, class to class. Register tokens, after the
    class token, have no position: their pairs use row R, which is none.
    """
    h, w = grid_size
    rows, columns = np.divmod(np.arange(h * w), w)
    row_offset = rows[:, np.newaxis] - rows + h - 1  # [N, N]
    column_offset = columns[:, np.newaxis] - columns + w - 1  # [N, N]
    index = row_offset * (2 * w - 1) + column_offset
    if class_token:
        first = (2 * h - 1) * (2 * w - 1)
        index = np.pad(index, [(1, 0), (1, 0)])  # [M, M]
        index[0, :] = first
        index[:, 0] = first + 1
        index[0, 0] = first + 2
    num_rows, places = index.max() + 1, register_tokens * [int(class_token)]
    for axis in range(2):
        index = np.insert(index, places, num_rows, axis)
    return index.astype(np.int32)


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class RelativePositionBias(tf.keras.layers.Layer):
    """A learned number per head for every offset between two tokens.

        bias[k, m, m'] = table[index[m, m'], k]

    to be added to the attention logits. One layer can serve every block (the
    reference pretrains ViT so) or each block its own.

    Args:
        grid_size: (h, w), the grid of patches.
        num_heads: int > 0, K.
        class_token: bool. Whether a class token stands before the patches.
        stddev: float > 0, the spread of the initial numbers, or None for
            zeros. The reference has zeros in ViT, 0.02 in Swin.
        register_tokens: int >= 0. How many tokens without a position stand
            behind the class token; their bias is 0.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, M, D]. Read for its number of tokens alone.

    Returns:
        float32 [K, M, M] under every precision: it is added to logits, and its
        gradient is a sum over many pairs of tokens and blocks.

    Raises:
        ValueError: `num_heads` is not positive, or M does not fit the grid.

    Source: Bao et al., BEiT, 2021, https://arxiv.org/abs/2106.08254 (the
        class-token rows), and Liu et al., Swin Transformer, 2021,
        https://arxiv.org/abs/2103.14030, equation 4.
    """

    def __init__(
        self,
        grid_size,
        num_heads,
        class_token=True,
        stddev=None,
        register_tokens=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_heads <= 0:
            raise ValueError(
                f"`num_heads` must be positive. Received: {num_heads}."
            )
        self.grid_size = sizes.as_pair(grid_size, "grid_size")
        self.num_heads = num_heads
        self.class_token = class_token
        self.stddev = stddev
        self.register_tokens = register_tokens

    def build(self, input_shape):
        self._index = relative_position_index(
            self.grid_size, self.class_token, self.register_tokens
        )
        num_tokens = len(self._index)
        if len(input_shape) != 3 or input_shape[1] not in (num_tokens, None):
            raise ValueError(
                f"`tokens` must be [batch, {num_tokens}, embed_dim] for the "
                f"grid {self.grid_size} with class_token={self.class_token}. "
                f"Received shape: {tuple(input_shape)}."
            )
        num_rows = self._index.max() + 1 - bool(self.register_tokens)
        initializer = "zeros"
        if self.stddev is not None:
            initializer = truncated_normal.TruncatedNormal(self.stddev, 5.0)
        self.table = self.add_weight(
            name="relative_position_bias_table",
            shape=(num_rows, self.num_heads),
            initializer=initializer,
            experimental_autocast=False,  # stays float32
        )
        super().build(input_shape)

    def call(self, tokens):
        # Gathering along axis 1 keeps the gradient dense. Along axis 0 it
        # would be a list of rows with repetitions, whose global norm (and so
        # gradient clipping) comes out wrong.
        heads_first = tf.transpose(self.table)  # [K, R]
        if self.register_tokens:
            heads_first = tf.pad(heads_first, [(0, 0), (0, 1)])
        return tf.gather(heads_first, self._index, axis=1)  # [K, M, M]

    def get_config(self):
        return {
            **super().get_config(),
            "grid_size": self.grid_size,
            "num_heads": self.num_heads,
            "class_token": self.class_token,
            "stddev": self.stddev,
            "register_tokens": self.register_tokens,
        }
