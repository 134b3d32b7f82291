"""Semantic FPN: a class for each cell, from the maps of a pyramid.

Dimension key:
  B: batch   h w: finest map   F: width of the pyramid   L: classes
"""

import tensorflow as tf

from tf_simmim import layers


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SegmentationHead(tf.keras.layers.Layer):
    """Adds up the maps of a pyramid at the finest one's size, and classifies.

        x = sum_i enlarge(relu(norm(conv_3x3[i](maps[i]))))
        logits = x W + b

    Args:
        num_classes: int > 0, L.
        num_levels: int > 0. Maps that it is called with.
        width: int > 0. Features of the sum; 128 in the paper.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        maps: list of float [B, h_i, w_i, F_i], finest first.

    Returns:
        float32 [B, h, w, L], under every precision, since the loss is
        computed from it.

    Raises:
        ValueError: an argument is not positive, or the number of maps is
            another.

    Source: Kirillov et al., Panoptic Feature Pyramid Networks, 2019,
        https://arxiv.org/abs/1901.02446, section 3. Differs from the paper:
        one convolution a level, before it is enlarged in one go, in the place
        of one at each doubling; layer norm in the place of group norm.
    """

    def __init__(self, num_classes, num_levels, width=128, **kwargs):
        super().__init__(**kwargs)
        if min(num_classes, num_levels, width) <= 0:
            raise ValueError(
                "`num_classes`, `num_levels` and `width` must be positive. "
                f"Received: num_classes={num_classes}, "
                f"num_levels={num_levels}, width={width}."
            )
        self.num_classes = num_classes
        self.num_levels = num_levels
        self.width = width
        self.levels = [
            layers.NormalizedConvolution(
                width,
                activation="relu",
                dtype=self.dtype_policy,
                name=f"level_{level}",
            )
            for level in range(num_levels)
        ]
        self.prediction = tf.keras.layers.Dense(
            num_classes,
            kernel_initializer=layers.FanInUniform(),
            dtype=self.dtype_policy,
            name="prediction",
        )

    def call(self, maps):
        if len(maps) != self.num_levels:
            raise ValueError(
                f"`maps` must be {self.num_levels}, one a level. "
                f"Received: {len(maps)}."
            )
        size = maps[0].shape[1:3]
        x = tf.add_n(
            [
                layers.enlarge(level(each), size)
                for level, each in zip(self.levels, maps, strict=True)
            ]
        )
        return tf.cast(self.prediction(x), tf.float32)  # [B, h, w, L]

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "num_levels": self.num_levels,
            "width": self.width,
        }
