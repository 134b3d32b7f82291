"""Patch merging: halves a feature map and doubles its width.

Dimension key:
  B: batch   h w: feature map   D: width
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class PatchMerging(tf.keras.layers.Layer):
    """Joins each 2 x 2 cells into one.

        y[b, r, c] = norm(concat(x[b, 2r, 2c], x[b, 2r + 1, 2c],
                                 x[b, 2r, 2c + 1], x[b, 2r + 1, 2c + 1])) W

    Args:
        epsilon: float > 0. Of the LayerNorm; 1e-5 in the reference.
        norm_last: bool. Whether the norm comes after W, as in version 2 of
            Swin.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        feature_map: float [B, h, w, D], h and w even.

    Returns:
        float [B, h/2, w/2, 2 * D], in the layer's compute dtype.

    Raises:
        ValueError: a side is odd or unknown.

    Source: Liu et al., Swin Transformer, 2021,
        https://arxiv.org/abs/2103.14030, section 3.1; for
        `norm_last`, the official code of Liu et al., Swin Transformer V2,
        2021, https://arxiv.org/abs/2111.09883.
    """

    def __init__(self, epsilon=1e-5, norm_last=False, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.norm_last = norm_last
        self.norm = tf.keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=self.dtype_policy, name="norm"
        )

    def build(self, input_shape):
        sides = input_shape[1:3]
        if len(input_shape) != 4 or any(s is None or s % 2 for s in sides):
            raise ValueError(
                "`feature_map` must be [batch, height, width, channels] with "
                f"even sides. Received shape: {tuple(input_shape)}."
            )
        self.reduction = tf.keras.layers.Dense(
            2 * input_shape[-1],
            use_bias=False,
            kernel_initializer=truncated_normal.TruncatedNormal(bound=5.0),
            dtype=self.dtype_policy,
            name="reduction",
        )
        super().build(input_shape)

    def call(self, feature_map):
        _, h, w, width = feature_map.shape
        x = tf.reshape(feature_map, [-1, h // 2, 2, w // 2, 2, width])
        x = tf.transpose(x, [0, 1, 3, 4, 2, 5])  # columns before rows
        x = tf.reshape(x, [-1, h // 2, w // 2, 4 * width])
        if self.norm_last:
            return self.norm(self.reduction(x))  # [B, h/2, w/2, 2D]
        return self.reduction(self.norm(x))  # [B, h/2, w/2, 2D]

    def compute_output_shape(self, input_shape):
        batch, h, w, width = input_shape
        return (batch, h // 2, w // 2, 2 * width)

    def get_config(self):
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "norm_last": self.norm_last,
        }
