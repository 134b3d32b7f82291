"""SimMIM's prediction head: one linear layer from features to pixels.

Dimension key:
  B: batch   h w: feature map   D: num_features   S: encoder stride, px
  C: image channels   n: chosen cells   F: values of one cell = S*S*C
"""

import tensorflow as tf

from tf_simmim.heads import cells as cells_lib


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class PredictionHead(tf.keras.layers.Layer):
    """Predicts the S x S pixels under each cell of the feature map.

        y[b, r, c, (i * S + j) * C + ch] = the pixel (r * S + i, c * S + j, ch)

    which is the order of `tf.nn.space_to_depth`; `tf.nn.depth_to_space` turns
    the output into an image. The reference's pixel shuffle orders the same
    numbers as (ch * S + i) * S + j: `convert` permutes its weights.

    Args:
        stride: int > 0, S, px per cell: 16 ViT, 32 Swin.
        channels: int > 0, C. 3 in the reference; any number here.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        features: float [B, h, w, D], or tokens [B, n, D].
        cells: int [B, n] or None. Row-major numbers of the cells to predict,
            where `features` are a map.

    Returns:
        float32 [B, h, w, S * S * C], or [B, n, S * S * C] of tokens or cells,
        under every precision, since the loss is computed from it.

    Raises:
        ValueError: `stride` or `channels` is not positive; `cells` of what is
            no feature map.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 3.3: a linear head is as good as a heavy one. Initial values
        as in the reference: uniform in +-1/sqrt(D).
    """

    # Each prediction depends on its own cell alone.
    is_pointwise = True

    def __init__(self, stride, channels=3, **kwargs):
        super().__init__(**kwargs)
        if stride <= 0 or channels <= 0:
            raise ValueError(
                "`stride` and `channels` must be positive. "
                f"Received: stride={stride}, channels={channels}."
            )
        self.stride = stride
        self.channels = channels

    def build(self, input_shape):
        num_features = input_shape[-1]
        limit = num_features**-0.5

        def uniform(shape, dtype, **kwargs):
            return tf.random.uniform(shape, -limit, limit, dtype=dtype)

        num_outputs = self.stride**2 * self.channels
        self.kernel = self.add_weight(
            name="kernel",
            shape=(num_features, num_outputs),
            initializer=uniform,
        )
        self.bias = self.add_weight(
            name="bias", shape=(num_outputs,), initializer=uniform
        )
        super().build(input_shape)

    def call(self, features, cells=None):
        if cells is not None:
            cells_lib.require_cells(features, cells)
            features = cells_lib.as_tokens(features)
            features = cells_lib.take_cells(features, cells)  # [B, n, D]
        # As one matrix: `tf.matmul` would make a gradient for each image.
        outputs = tf.tensordot(features, self.kernel, 1) + self.bias
        return tf.cast(outputs, tf.float32)  # [B, h, w, F] or [B, n, F]

    def get_config(self):
        return {
            **super().get_config(),
            "stride": self.stride,
            "channels": self.channels,
        }
