"""Patch embedding: an image becomes a sequence of projected patches.

Dimension key:
  B: batch   H W: image, px   C: channels   P: patch_size, px
  h w: grid = H/P, W/P   N: number of patches = h*w, row-major   D: embed_dim
"""

import tensorflow as tf

from tf_simmim.layers import truncated_normal


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class PatchEmbedding(tf.keras.layers.Layer):
    """Cuts an image into patches and projects each to a vector.

    A convolution whose kernel and stride are both one patch:

        y[b, n] = sum_ijc x[b, P*row(n) + i, P*col(n) + j, c] K[i, j, c] + bias

    Args:
        patch_size: int > 0, px. 16 for the reference ViT.
        embed_dim: int > 0. Width of the vectors.
        kernel_initializer: a Keras initialiser, or None for the reference
            ViT's `TruncatedNormal`.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        images: float [B, H, W, C]. Normalised images; P divides H and W.

    Returns:
        float [B, N, D], in the layer's compute dtype.

    Raises:
        ValueError: `patch_size` or `embed_dim` is not positive, or the image
            is not [B, H, W, C] with sides that are multiples of `patch_size`.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2020,
        https://arxiv.org/abs/2010.11929, section 3.1.
    """

    def __init__(
        self, patch_size, embed_dim, kernel_initializer=None, **kwargs
    ):
        super().__init__(**kwargs)
        if patch_size <= 0 or embed_dim <= 0:
            raise ValueError(
                "`patch_size` and `embed_dim` must be positive. "
                f"Received: patch_size={patch_size}, embed_dim={embed_dim}."
            )
        self.patch_size = patch_size
        self.embed_dim = embed_dim
        self.kernel_initializer = tf.keras.initializers.get(kernel_initializer)
        self.projection = tf.keras.layers.Conv2D(
            embed_dim,
            patch_size,
            strides=patch_size,
            kernel_initializer=(
                self.kernel_initializer or truncated_normal.TruncatedNormal()
            ),
            dtype=self.dtype_policy,
            name="projection",
        )

    def call(self, images):
        sides = images.shape[1:3]
        if images.shape.rank != 4 or any(
            side is not None and side % self.patch_size for side in sides
        ):
            raise ValueError(
                "`images` must be [batch, height, width, channels] with sides "
                f"that are multiples of `patch_size` ({self.patch_size}). "
                f"Received shape: {images.shape}."
            )
        x = self.projection(images)  # [B, h, w, D]
        h, w = x.shape[1], x.shape[2]
        num_patches = h * w if None not in (h, w) else -1
        batch = tf.shape(x)[0]
        return tf.reshape(x, [batch, num_patches, self.embed_dim])  # [B, N, D]

    def get_config(self):
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "embed_dim": self.embed_dim,
            "kernel_initializer": tf.keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
