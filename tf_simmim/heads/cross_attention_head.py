"""A prediction head whose queries are the cells to predict.

Dimension key:
  B: batch   h w: feature map   D: num_features   E: embed_dim
  n: chosen cells   F: values of one cell = stride * stride * channels
"""

import tensorflow as tf

from tf_simmim import layers
from tf_simmim.heads import cells as cells_lib
from tf_simmim.heads import transformer_head


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class CrossAttentionHead(transformer_head.TransformerHead):
    """Asks the feature map what is under each cell, by its place alone.

        q[i] = query token + position[i]         of the cells to predict
        t = features W + b + positions           of all cells
        y = linear(norm(blocks(q, t)))

    with fixed sine-cosine positions, in the order of pixels of
    `PredictionHead`. Queries do not see each other, so a prediction is the
    same whichever others are asked for, and hidden cells alone cost less than
    all.

    Args:
        stride: int > 0, px per cell.
        channels: int > 0.
        embed_dim: int, a multiple of 4 and of `num_heads`. Width of the
            decoder; 256, half of CrossMAE's.
        depth: int > 0. Number of blocks; 1, against CrossMAE's 12.
        num_heads: int > 0. 8 heads of 32 features.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        features: float [B, h, w, D].
        cells: int [B, n] or None. Row-major numbers of the cells to predict;
            None asks for all.

    Returns:
        float32 [B, h, w, F], or [B, n, F] of cells.

    Raises:
        ValueError: an argument that cannot work, from the parts; `features`
            that are no map.

    Source: Chen et al., Context Autoencoder (CAE), 2022,
        https://arxiv.org/abs/2202.03026, section 3, and Fu et al., Rethinking
        Patch Dependence for Masked Autoencoders (CrossMAE), 2024,
        https://arxiv.org/abs/2401.14391, section 3. Differs from both in what
        is attended to: there the encoder sees visible patches alone, here
        also mask tokens, and their features are attended to as well. Without
        CAE's alignment of latents and CrossMAE's mix of features of several
        blocks.
    """

    def create_block(self, name):
        return layers.CrossAttentionBlock(
            self.num_heads, dtype=self.dtype_policy, name=name
        )

    def build(self, input_shape):
        super().build(input_shape)
        self.query_token = self.add_weight(
            name="query_token",
            shape=(1, 1, self.embed_dim),
            initializer=layers.TruncatedNormal(),
        )

    def call(self, features, cells=None):
        tokens = self.embedding(cells_lib.as_tokens(features))
        queries = tf.zeros_like(tokens) + tf.cast(
            self.query_token, tokens.dtype
        )
        tokens, queries = self.positions(tokens), self.positions(queries)
        if cells is not None:
            cells_lib.require_cells(features, cells)
            queries = cells_lib.take_cells(queries, cells)  # [B, n, E]
        for block in self.blocks:
            queries = block(queries, tokens)
        y = self.predict_cells(queries)  # [B, n, F]
        return cells_lib.as_map(y, features) if cells is None else y
