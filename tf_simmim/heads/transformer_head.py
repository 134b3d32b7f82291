"""What prediction heads made of Transformer blocks have in common.

Dimension key:
  B: batch   h w: feature map   D: num_features   E: embed_dim
  n: cells   F: values of one cell = stride * stride * channels
"""

import tensorflow as tf

from tf_simmim import layers
from tf_simmim.heads import cells as cells_lib
from tf_simmim.heads import prediction_head


class TransformerHead(tf.keras.layers.Layer):
    """Base of the heads in which cells attend: their parts, not their order.

    Subclasses say what a block is and how tokens go through the blocks. They
    document the arguments.

    Attributes:
        embedding: layer, [B, n, D] -> [B, n, E].
        positions: layer that adds fixed sine-cosine positions to [B, h*w, E].
        blocks: list of `depth` layers.
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
        self.blocks = [self.create_block(f"block_{i}") for i in range(depth)]
        self.norm = tf.keras.layers.LayerNormalization(
            epsilon=1e-6, dtype=policy, name="norm"
        )
        self.prediction = prediction_head.PredictionHead(
            stride, channels, dtype=policy, name="prediction"
        )

    def create_block(self, name):
        """Returns a new block."""
        raise NotImplementedError

    def build(self, input_shape):
        cells_lib.require_map(input_shape)
        self.positions = layers.SinCosPositionEmbedding(
            tuple(input_shape[1:3]), dtype=self.dtype_policy, name="positions"
        )
        super().build(input_shape)

    def predict_cells(self, tokens):
        """Returns the values of cells, float32 [B, n, F], of [B, n, E]."""
        return self.prediction(self.norm(tokens))

    def get_config(self):
        return {
            **super().get_config(),
            "stride": self.stride,
            "channels": self.channels,
            "embed_dim": self.embed_dim,
            "depth": self.depth,
            "num_heads": self.num_heads,
        }
