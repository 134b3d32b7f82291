"""A prediction head with one hidden layer.

Dimension key:
  B: batch   h w: feature map   D: num_features   n: chosen cells
  F: values of one cell = stride * stride * channels
"""

import tensorflow as tf

from tf_simmim import layers
from tf_simmim.heads import cells as cells_lib
from tf_simmim.heads import prediction_head


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class MLPHead(tf.keras.layers.Layer):
    """Predicts the pixels under each cell from its features, not linearly.

        y = linear(gelu(x W + b)),   W: D x (hidden_ratio * D)

    in the order of pixels of `PredictionHead`.

    Args:
        stride: int > 0, px per cell.
        channels: int > 0.
        hidden_ratio: float > 0. Hidden width over D; 1, as light as the
            paper's two-layer head.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        features: float [B, h, w, D], or tokens [B, n, D].
        cells: int [B, n] or None. Row-major numbers of the cells to predict,
            where `features` are a map.

    Returns:
        float32 [B, h, w, F], or [B, n, F] of tokens or cells.

    Raises:
        ValueError: an argument is not positive; `cells` of what is no map.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 4.1.3: a two-layer MLP costs more than a linear head and
        transfers no better.
    """

    # Each prediction depends on its own cell alone.
    is_pointwise = True

    def __init__(self, stride, channels=3, hidden_ratio=1.0, **kwargs):
        super().__init__(**kwargs)
        if hidden_ratio <= 0:
            raise ValueError(
                f"`hidden_ratio` must be positive. Received: {hidden_ratio}."
            )
        self.stride = stride
        self.channels = channels
        self.hidden_ratio = hidden_ratio
        self.prediction = prediction_head.PredictionHead(
            stride, channels, dtype=self.dtype_policy, name="prediction"
        )

    def build(self, input_shape):
        self.hidden = tf.keras.layers.Dense(
            max(1, int(input_shape[-1] * self.hidden_ratio)),
            kernel_initializer=layers.TruncatedNormal(),
            dtype=self.dtype_policy,
            name="hidden",
        )
        super().build(input_shape)

    def call(self, features, cells=None):
        if cells is not None:
            cells_lib.require_cells(features, cells)
            features = cells_lib.as_tokens(features)
            features = cells_lib.take_cells(features, cells)  # [B, n, D]
        hidden = tf.nn.gelu(self.hidden(features), approximate=False)
        return self.prediction(hidden)

    def get_config(self):
        return {
            **super().get_config(),
            "stride": self.stride,
            "channels": self.channels,
            "hidden_ratio": self.hidden_ratio,
        }
