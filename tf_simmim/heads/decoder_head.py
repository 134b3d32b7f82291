"""A prediction head in which cells attend to each other.

Dimension key:
  B: batch   h w: feature map   D: num_features   E: embed_dim
  n: chosen cells   F: values of one cell = stride * stride * channels
"""

import tensorflow as tf

from tf_simmim import layers
from tf_simmim.heads import cells as cells_lib
from tf_simmim.heads import transformer_head


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class DecoderHead(transformer_head.TransformerHead):
    """A light Transformer over the whole feature map, then a linear layer.

        x = features W + b + positions
        y = linear(norm(blocks(x)))

    with fixed sine-cosine positions, in the order of pixels of
    `PredictionHead`.

    Args:
        stride: int > 0, px per cell.
        channels: int > 0.
        embed_dim: int, a multiple of 4 and of `num_heads`. Width of the
            decoder; 256, half of MAE's.
        depth: int > 0. Number of blocks; 1, against MAE's 8.
        num_heads: int > 0. 8 heads of 32 features, as in MAE.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        features: float [B, h, w, D].
        cells: int [B, n] or None. Row-major numbers of the cells to predict.
            All of them are attended to; only the last, linear layer is
            spared.

    Returns:
        float32 [B, h, w, F], or [B, n, F] of cells.

    Raises:
        ValueError: an argument that cannot work, from the parts; `features`
            that are no map.

    Source: He et al., Masked Autoencoders, 2021,
        https://arxiv.org/abs/2111.06377, section 3. Differs in that the
        encoder has seen the mask tokens, so that none are put in here.
    """

    def create_block(self, name):
        return layers.TransformerBlock(
            self.num_heads,
            qkv_bias="query_key_value",
            layer_scale_init=None,
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, features, cells=None):
        x = self.positions(self.embedding(cells_lib.as_tokens(features)))
        for block in self.blocks:
            x = block(x)  # [B, h * w, E]
        if cells is None:
            return cells_lib.as_map(self.predict_cells(x), features)
        cells_lib.require_cells(features, cells)
        return self.predict_cells(cells_lib.take_cells(x, cells))
