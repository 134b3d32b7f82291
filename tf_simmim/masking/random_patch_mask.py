"""Random masks of aligned square patches: the mask of SimMIM.

Dimension key:
  B: batch   H W: image, px   P: model patch, px   Q: mask patch, px
  h w: grid of model patches = H/P, W/P   n: number of mask patches = HW/Q^2
"""

import fractions
import math

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim import sizes


def count_hidden(num_mask_patches: int, mask_ratio: float) -> int:
    """Returns ceil(mask_ratio * num_mask_patches), exactly.

    The ratio is read as the decimal number that its user wrote, so 0.55 of 20
    is 11. (The reference multiplies in binary floating point, where
    0.55 * 20 is a hair above 11 and hides 12; both agree on the published
    settings: 22 of 36 patches at 192 px, 30 of 49 at 224 px.)
    """
    return math.ceil(
        fractions.Fraction(repr(float(mask_ratio))) * num_mask_patches
    )


class RandomPatchMask:
    """Hides ceil(mask_ratio * n) of the n mask patches, uniformly at random.

    The image is cut into mask patches of Q x Q pixels; a uniform permutation
    (the rank of one random number a patch) picks the hidden ones; each is
    spread over the (Q/P)^2 model patches that it covers. The number of hidden
    patches is the same in every sample.

    Args:
        image_size: int or (height, width), px.
        patch_size: int, px. The backbone's model patch: 16 ViT, 4 Swin.
        mask_patch_size: int, px, a multiple of `patch_size`. The paper's
            choice is 32 for every backbone.
        mask_ratio: float in (0, 1). Fraction of mask patches to hide; the
            paper's choice is 0.6.

    Attributes:
        grid_size: (h, w), the grid of model patches.
        num_mask_patches: int, n.
        num_hidden: int, the number of mask patches hidden in every sample.

    Raises:
        ValueError: `mask_patch_size` is not a multiple of `patch_size`, does
            not divide the image, or `mask_ratio` leaves nothing to predict or
            nothing to see.

    Randomness: none of its own; a mask is a function of the seed it is given.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 3.2, and the reference code's MaskGenerator.
    """

    def __init__(
        self, image_size, patch_size, mask_patch_size=32, mask_ratio=0.6
    ):
        image_size = sizes.as_pair(image_size, "image_size")
        mask_pair = sizes.as_pair(mask_patch_size, "mask_patch_size")
        sizes.require_multiple(
            mask_pair, "mask_patch_size", patch_size, "patch_size"
        )
        sizes.require_multiple(
            image_size, "image_size", mask_patch_size, "mask_patch_size"
        )
        if not 0 < mask_ratio < 1:
            raise ValueError(
                "`mask_ratio` must lie strictly between 0 and 1. "
                f"Received: {mask_ratio}."
            )
        self.patch_size = patch_size
        self.mask_patch_size = mask_patch_size
        self.mask_ratio = mask_ratio
        self.grid_size = tuple(side // patch_size for side in image_size)
        self.mask_grid_size = tuple(s // mask_patch_size for s in image_size)
        self.num_mask_patches = math.prod(self.mask_grid_size)
        self.num_hidden = count_hidden(self.num_mask_patches, mask_ratio)
        if self.num_hidden == self.num_mask_patches:
            raise ValueError(
                f"`mask_ratio` {mask_ratio} hides all {self.num_mask_patches} "
                f"mask patches of a {image_size[0]}x{image_size[1]} image: "
                "lower it, or take a smaller `mask_patch_size`. "
                f"Received: mask_patch_size={mask_patch_size}."
            )

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """Draws the mask of one image.

        Args:
            seed: int64 [2], from `randomness.seed_for`.

        Returns:
            int32 [h, w] on the grid of model patches. 1 = hidden.
        """
        numbers = randomness.uniform([1, self.num_mask_patches], seed)
        return self._from_numbers(numbers)[0]

    def sample_batch(self, seed: tf.Tensor, batch_size) -> tf.Tensor:
        """Draws the masks of the images of a batch that this replica holds.

        Args:
            seed: int64 [2], one for the whole global batch.
            batch_size: int or int32 scalar. Images on this replica.

        Returns:
            int32 [B, h, w] on the grid of model patches. 1 = hidden.
        """
        numbers = randomness.uniform_per_sample(
            batch_size, (self.num_mask_patches,), seed
        )
        return self._from_numbers(numbers)

    def _from_numbers(self, numbers):
        # The rank of each number is its position in a uniform permutation, so
        # that equal numbers cannot change the count.
        ranks = tf.argsort(tf.argsort(numbers))  # [B, n]
        hidden = tf.cast(ranks < self.num_hidden, tf.int32)
        mask = tf.reshape(hidden, [-1, *self.mask_grid_size])  # [B, H/Q, W/Q]
        repeats = self.mask_patch_size // self.patch_size
        mask = tf.repeat(mask, repeats, axis=1)
        return tf.repeat(mask, repeats, axis=2)  # [B, h, w]


def to_pixel_mask(patch_mask: tf.Tensor, patch_size: int) -> tf.Tensor:
    """Spreads a patch mask over pixels.

    Args:
        patch_mask: [B, h, w], any dtype. 1 = hidden, 0 = visible.
        patch_size: int, P, px.

    Returns:
        Same dtype, [B, h * P, w * P].
    """
    rows = tf.repeat(patch_mask, patch_size, axis=1)
    return tf.repeat(rows, patch_size, axis=2)  # [B, H, W]
