"""Mask colour: one learned pixel that stands in for every hidden one.

Dimension key:
  B: batch   H W: image, px   C: channels
"""

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class MaskColor(tf.keras.layers.Layer):
    """Paints the hidden pixels of images with a learned colour.

        y[b, i, j] = color       where pixel_mask[b, i, j] == 1  (hidden)
        y[b, i, j] = x[b, i, j]  where pixel_mask[b, i, j] == 0  (visible)

    This is what a mask token amounts to where the first layer's patches
    overlap, as in convolutional networks. The colour begins at zero, which in
    normalised images is the mean colour of the data.

    Args:
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        images: float [B, H, W, C]. Normalised.
        pixel_mask: int or bool [B, H, W]. 1 = hidden, 0 = visible.

    Returns:
        float [B, H, W, C], in the layer's compute dtype.

    Raises:
        ValueError: `pixel_mask` was made for images of another size.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 3.2, applied to pixels in place of patch embeddings.
    """

    def build(self, input_shape):
        self.color = self.add_weight(
            name="mask_color", shape=input_shape[-1:], initializer="zeros"
        )
        super().build(input_shape)

    def call(self, images, pixel_mask):
        if tuple(pixel_mask.shape[1:]) != tuple(images.shape[1:3]):
            raise ValueError(
                "`pixel_mask` must have one entry per pixel. Received "
                f"images: {images.shape}, pixel_mask: {pixel_mask.shape}."
            )
        hidden = tf.cast(pixel_mask, tf.bool)[..., tf.newaxis]  # [B, H, W, 1]
        color = tf.cast(self.color, images.dtype)  # [C]
        return tf.where(hidden, color, images)  # [B, H, W, C]

    def compute_output_shape(self, input_shape):
        return input_shape
