"""Random masking: draws which patches of each image are hidden.

Dimension key:
  B: batch   H W: image, px   h w: grid of model patches
"""

import tensorflow as tf

from tf_simmim import masking
from tf_simmim import sizes


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class RandomMasking(tf.keras.layers.Layer):
    """Draws a random patch mask for each image of a batch, on the device.

    The mask itself is that of `masking.create`; this layer is its place in a
    Keras model. It has no weights.

    Args:
        image_size: int or (height, width), px.
        patch_size: int, px. The backbone's model patch.
        mask_patch_size: int, px. 32 in the paper.
        mask_ratio: float in (0, 1). Fraction of mask patches to hide, counted
            up (`ceil`); 0.6 in the paper.
        mask_strategy: one of `masking.STRATEGIES`. "random" in the paper.
        **kwargs: passed to `tf.keras.layers.Layer`.

    Call arguments:
        images: float [B, H, W, C]. Read for its batch size alone.
        seed: int64 [2]. One seed for the global batch.

    Returns:
        int32 [B, h, w]. 1 = hidden, 0 = visible.

    Raises:
        ValueError: an unknown strategy, sizes that do not divide, or a ratio
            that hides all; see `masking.PatchMask`.

    Randomness: a function of `seed` and the sample's place in the global
        batch, so that resumed runs and any number of replicas agree.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 3.2.
    """

    def __init__(
        self,
        image_size,
        patch_size,
        mask_patch_size=32,
        mask_ratio=0.6,
        mask_strategy="random",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.image_size = sizes.as_pair(image_size, "image_size")
        self.patch_size = patch_size
        self.mask_patch_size = mask_patch_size
        self.mask_ratio = mask_ratio
        self.mask_strategy = mask_strategy
        self.random_mask = masking.create(
            mask_strategy, image_size, patch_size, mask_patch_size, mask_ratio
        )

    def call(self, images, seed):
        batch_size = images.shape[0]
        if batch_size is None:
            batch_size = tf.shape(images)[0]
        mask = self.random_mask.sample_batch(seed, batch_size)
        return tf.ensure_shape(mask, [None, *self.random_mask.grid_size])

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "patch_size": self.patch_size,
            "mask_patch_size": self.mask_patch_size,
            "mask_ratio": self.mask_ratio,
            "mask_strategy": self.mask_strategy,
        }
