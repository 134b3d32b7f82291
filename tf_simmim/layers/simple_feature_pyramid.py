"""Simple feature pyramid: maps of several strides from the one of a ViT.

Dimension key:
  B: batch   h w: map   D: num_features   F: width of the pyramid
"""

import tensorflow as tf

from tf_simmim.layers import fan_in_uniform
from tf_simmim.layers import gelu
from tf_simmim.layers import normalized_convolution

_FINEST_STRIDE = 4  # px


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class SimpleFeaturePyramid(tf.keras.layers.Layer):
    """Makes maps of a quarter, half, one and two times a stride.

    Each comes from the last map of the backbone by itself: two or one
    transposed convolutions of 2 x 2 enlarge it, or a maximum over 2 x 2
    shrinks it; then follow convolutions of 1 x 1 and 3 x 3. Nothing is finer
    than 4 px, unless the map itself is: of a stride of 8 px, these are 4, 8
    and 16 px.

    Args:
        stride: int > 0, px. Of the map.
        width: int > 0, F. Features of every map that it gives; 256 in the
            paper.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        features: float [B, h, w, D].

    Returns:
        list of float [B, h * stride / s, w * stride / s, F], one for each s
        of `strides`, in the compute dtype.

    Attributes:
        strides: tuple of int, px, finest first.

    Raises:
        ValueError: `stride` or `width` is not positive.

    Source: Li et al., Exploring Plain Vision Transformer Backbones for Object
        Detection, 2022, https://arxiv.org/abs/2203.16527, section 3.
    """

    def __init__(self, stride, width=256, **kwargs):
        super().__init__(**kwargs)
        if stride <= 0 or width <= 0:
            raise ValueError(
                "`stride` and `width` must be positive. "
                f"Received: stride={stride}, width={width}."
            )
        self.stride = stride
        self.width = width
        self.num_doublings = [
            n
            for n in (2, 1, 0)
            if n == 0
            or (stride % 2**n == 0 and stride // 2**n >= _FINEST_STRIDE)
        ]
        self.strides = (
            *(stride // 2**n for n in self.num_doublings),
            2 * stride,
        )
        # Flat lists: Keras does not save what lies in lists of lists.
        self.narrow, self.wide = (
            [
                normalized_convolution.NormalizedConvolution(
                    width,
                    kernel_size,
                    dtype=self.dtype_policy,
                    name=f"stride_{each}_{kernel_size}x{kernel_size}",
                )
                for each in self.strides
            ]
            for kernel_size in (1, 3)
        )

    def build(self, input_shape):
        policy = self.dtype_policy
        self.doublings = [
            tf.keras.layers.Dense(
                # Each cell gives 2 x 2 cells of half the features.
                4 * max(1, input_shape[-1] // 2 ** (i + 1)),
                kernel_initializer=fan_in_uniform.FanInUniform(),
                dtype=policy,
                name=f"times_{2**n}_doubling_{i}",
            )
            for n in self.num_doublings
            for i in range(n)
        ]
        self.norm = tf.keras.layers.LayerNormalization(
            epsilon=1e-6, dtype=policy, name="times_4_norm"
        )
        super().build(input_shape)

    def call(self, features):
        maps, doublings = [], iter(self.doublings)
        for num_doublings in self.num_doublings:
            x = features
            for i in range(num_doublings):
                if i:
                    x = gelu.gelu(self.norm(x))
                x = tf.nn.depth_to_space(next(doublings)(x), 2)
            maps.append(x)
        maps.append(tf.nn.max_pool2d(features, 2, 2, "SAME"))
        return [
            wide(narrow(x))
            for narrow, wide, x in zip(
                self.narrow, self.wide, maps, strict=True
            )
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "stride": self.stride,
            "width": self.width,
        }
