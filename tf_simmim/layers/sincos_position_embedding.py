"""Fixed sine-cosine absolute position embedding on a two-dimensional grid.

Dimension key:
  B: batch   h w: grid of patches   N: h*w   D: embed_dim
"""

import numpy as np
import tensorflow as tf

from tf_simmim import sizes


def sincos_table(grid_size: tuple[int, int], embed_dim: int) -> np.ndarray:
    """Returns float32 [h * w, D]: the column in the first half of D, then row.

    Each coordinate t takes D/2 numbers, F = D/4 frequencies:

        [sin(t / 10000^(i/F)) for i < F] + [cos(t / 10000^(i/F)) for i < F]
    """
    frequencies = 10000.0 ** (-np.arange(embed_dim // 4) / (embed_dim // 4))

    def encode(positions):
        angles = positions[:, np.newaxis] * frequencies  # [N, D/4]
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

    rows, columns = np.divmod(
        np.arange(grid_size[0] * grid_size[1]), grid_size[1]
    )
    table = np.concatenate([encode(columns), encode(rows)], axis=1)  # [N, D]
    return table.astype(np.float32)


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SinCosPositionEmbedding(tf.keras.layers.Layer):
    """Adds fixed sine-cosine position vectors to the patch tokens.

    Has no weights. Learns faster than relative positions on small data, where
    there are too few images to learn positions from.

    Args:
        grid_size: (h, w), the grid of patches.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        tokens: float [B, N, D]. Patch tokens only: add the class token later.

    Returns:
        float [B, N, D], in the layer's compute dtype.

    Raises:
        ValueError: `tokens` is not [B, N, D], or 4 does not divide D.

    Source: He et al., Masked Autoencoders, 2021,
        https://arxiv.org/abs/2111.06377, and its code (util/pos_embed.py),
        whose layout (columns first) this follows.
    """

    def __init__(self, grid_size, **kwargs):
        super().__init__(**kwargs)
        self.grid_size = sizes.as_pair(grid_size, "grid_size")

    def build(self, input_shape):
        num_patches = self.grid_size[0] * self.grid_size[1]
        if len(input_shape) != 3 or input_shape[1] not in (num_patches, None):
            raise ValueError(
                f"`tokens` must be [batch, {num_patches}, embed_dim] for the "
                f"grid {self.grid_size}. Received shape: {tuple(input_shape)}."
            )
        if input_shape[-1] % 4:
            raise ValueError(
                "`embed_dim` must be a multiple of 4: sine and cosine of two "
                f"coordinates. Received: {input_shape[-1]}."
            )
        self._table = sincos_table(self.grid_size, input_shape[-1])
        super().build(input_shape)

    def call(self, tokens):
        return tokens + tf.cast(self._table, tokens.dtype)  # [B, N, D]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "grid_size": self.grid_size}
