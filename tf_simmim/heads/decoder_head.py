"""A prediction head in which cells attend to each other.

Dimension key:
  B: batch   h w: feature map   D: num_features   E: embed_dim
  n: chosen cells   F: values of one cell = stride * stride * channels
"""

import tensorflow as tf

from tf_simmim import layers
from tf_simmim.heads import cells as cells_lib
from tf_simmim.heads import prediction_head


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class DecoderHead(tf.keras.layers.Layer):
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

    is_pointwise = False

    def __init__(
        self,
        stride,
        channels=3,
        embed_dim=256,
        depth=1,
        num_heads=8,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if depth < 1:
            raise ValueError(f"`depth` must be positive. Received: {depth}.")
        self.stride = stride
        self.channels = channels
        self.embed_dim = embed_dim
        self.depth = depth
        self.num_heads = num_heads
        policy = self.dtype_policy
        self.embedding = tf.keras.layers.Dense(
            embed_dim,
            kernel_initializer=layers.TruncatedNormal(),
            dtype=policy,
            name="embedding",
        )
        self.blocks = [
            layers.TransformerBlock(
                num_heads,
                qkv_bias="query_key_value",
                layer_scale_init=None,
                dtype=policy,
                name=f"block_{i}",
            )
            for i in range(depth)
        ]
        self.norm = tf.keras.layers.LayerNormalization(
            epsilon=1e-6, dtype=policy, name="norm"
        )
        self.prediction = prediction_head.PredictionHead(
            stride, channels, dtype=policy, name="prediction"
        )

    def build(self, input_shape):
        cells_lib.require_map(input_shape)
        self.positions = layers.SinCosPositionEmbedding(
            tuple(input_shape[1:3]), dtype=self.dtype_policy, name="positions"
        )
        super().build(input_shape)

    def call(self, features, cells=None):
        x = self.positions(self.embedding(cells_lib.as_tokens(features)))
        for block in self.blocks:
            x = block(x)  # [B, h * w, E]
        if cells is None:
            y = self.prediction(self.norm(x))
            return cells_lib.as_map(y, features)  # [B, h, w, F]
        cells_lib.require_cells(features, cells)
        return self.prediction(self.norm(cells_lib.take_cells(x, cells)))

    def get_config(self):
        return {
            **super().get_config(),
            "stride": self.stride,
            "channels": self.channels,
            "embed_dim": self.embed_dim,
            "depth": self.depth,
            "num_heads": self.num_heads,
        }
