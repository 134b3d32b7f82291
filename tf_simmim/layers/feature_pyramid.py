"""Feature pyramid network: what coarse maps know, carried down to fine ones.

Dimension key:
  B: batch   h w: map of a level   D: its features   F: width of the pyramid
"""

import tensorflow as tf

from tf_simmim.layers import bilinear
from tf_simmim.layers import fan_in_uniform


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class FeaturePyramid(tf.keras.layers.Layer):
    """Gives maps of several strides one width, and the coarser ones' sense.

        p[last] = lateral[last](x[last])
        p[i] = lateral[i](x[i]) + enlarge(p[i + 1])
        y[i] = output[i](p[i])

    `lateral` is a convolution of 1 x 1, `output` one of 3 x 3.

    Args:
        num_levels: int > 0. Maps that it is called with.
        width: int > 0, F. Features of every map that it gives; 256 in the
            paper.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        maps: list of float [B, h, w, D], finest first, each with its own h,
            w and D.

    Returns:
        list of float [B, h, w, F], in the compute dtype.

    Raises:
        ValueError: `num_levels` or `width` is not positive, or the number of
            maps is another.

    Source: Lin et al., Feature Pyramid Networks for Object Detection, 2017,
        https://arxiv.org/abs/1612.03144, section 3. Differs from the paper:
        enlargement is bilinear, since maps need not be of double size.
    """

    def __init__(self, num_levels, width=256, **kwargs):
        super().__init__(**kwargs)
        if num_levels <= 0 or width <= 0:
            raise ValueError(
                "`num_levels` and `width` must be positive. "
                f"Received: num_levels={num_levels}, width={width}."
            )
        self.num_levels = num_levels
        self.width = width
        self.lateral, self.output_layers = (
            [
                tf.keras.layers.Conv2D(
                    width,
                    kernel_size,
                    padding="same",
                    kernel_initializer=fan_in_uniform.FanInUniform(),
                    dtype=self.dtype_policy,
                    name=f"{name}_{level}",
                )
                for level in range(num_levels)
            ]
            for name, kernel_size in (("lateral", 1), ("output", 3))
        )

    def call(self, maps):
        if len(maps) != self.num_levels:
            raise ValueError(
                f"`maps` must be {self.num_levels}, one a level. "
                f"Received: {len(maps)}."
            )
        carried, outputs = None, []
        for level in reversed(range(self.num_levels)):
            x = self.lateral[level](maps[level])
            if carried is not None:
                x += bilinear.enlarge(carried, x.shape[1:3])
            carried = x
            outputs.append(self.output_layers[level](x))
        return outputs[::-1]

    def get_config(self):
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "width": self.width,
        }
