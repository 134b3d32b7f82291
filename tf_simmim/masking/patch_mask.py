"""What every mask strategy shares: sizes, the exact count, and the draw.

Dimension key:
  B: batch   H W: image, px   P: model patch, px   Q: mask patch, px
  h w: grid of model patches = H/P, W/P   R C: grid of mask patches = H/Q, W/Q
  n: number of mask patches = R*C
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


def whole_below(numbers: tf.Tensor, bound) -> tf.Tensor:
    """Returns floor(numbers * bound) as int32: uniform in 0 .. bound - 1.

    One rounded product, and no sum that XLA could fuse with it, so that every
    mode of execution gets the same integers; with the 24-bit numbers of
    `randomness.uniform` the result stays below the bound.

    Args:
        numbers: float32, any shape. Uniform in [0, 1).
        bound: int or int32 tensor that broadcasts, positive.
    """
    return tf.cast(numbers * tf.cast(bound, tf.float32), tf.int32)


class PatchMask:
    """Base of the mask strategies: hides ceil(mask_ratio * n) mask patches.

    The image is cut into n aligned mask patches of Q x Q pixels, and each is
    hidden or visible as a whole: on all of the (Q/P)^2 model patches that it
    covers. So a cell of an encoder whose stride divides Q is wholly hidden or
    wholly visible.

    A strategy is an order of the mask patches, drawn for each image: the first
    `num_hidden` are hidden. That makes the count exact in every sample, with
    shapes that never change. A subclass sets `numbers_per_sample` and has
    `_order`.

    Args:
        image_size: int or (height, width), px.
        patch_size: int, px. The backbone's model patch: 16 ViT, 4 Swin.
        mask_patch_size: int, px, a multiple of `patch_size`. The paper's
            choice is 32 for every backbone.
        mask_ratio: float in (0, 1). Fraction of mask patches to hide; the
            paper's choice is 0.6.

    Attributes:
        grid_size: (h, w), the grid of model patches.
        mask_grid_size: (R, C), the grid of mask patches.
        num_mask_patches: int, n.
        num_hidden: int, the number of mask patches hidden in every sample.
        num_visible_patches: int, the number of model patches left visible.
        numbers_per_sample: int, the random numbers that a mask takes.

    Raises:
        ValueError: `mask_patch_size` is not a multiple of `patch_size`, does
            not divide the image, or `mask_ratio` leaves nothing to predict or
            nothing to see.

    Randomness: none of its own; a mask is a function of the seed it is given,
        the same in eager mode, graphs and XLA.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886,
        section 3.2, and the reference code's MaskGenerator.
    """

    numbers_per_sample: int

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

    @property
    def num_visible_patches(self) -> int:
        """The number of model patches left visible in every sample."""
        repeats = self.mask_patch_size // self.patch_size
        return (self.num_mask_patches - self.num_hidden) * repeats**2

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """Draws the mask of one image.

        Args:
            seed: int64 [2], from `randomness.seed_for`.

        Returns:
            int32 [h, w] on the grid of model patches. 1 = hidden.
        """
        numbers = randomness.uniform([1, self.numbers_per_sample], seed)
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
            batch_size, (self.numbers_per_sample,), seed
        )
        return self._from_numbers(numbers)

    def of_element(self, run_seed: int, index) -> tf.Tensor:
        """Returns the mask of an element of the stream of a run.

        Args:
            run_seed: int.
            index: int or int64 scalar tensor. Of the element.

        Returns:
            int32 [h, w] on the grid of model patches. 1 = hidden.
        """
        return self.sample(_seed(run_seed, index))

    def of_step(self, run_seed: int, step, batch_size) -> tf.Tensor:
        """Returns the masks of the images that a replica has in a step.

        Those of the elements that a stream has in that step: `of_element` of
        `randomness.indices_of_step`, if all batches have the same size.

        Args:
            run_seed: int.
            step: int or int64 scalar tensor.
            batch_size: int or int32 scalar. Images on this replica.

        Returns:
            int32 [B, h, w] on the grid of model patches. 1 = hidden.
        """
        shape = [self.numbers_per_sample]
        numbers = tf.map_fn(
            lambda index: randomness.uniform(shape, _seed(run_seed, index)),
            randomness.indices_of_step(step, batch_size),
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )
        mask = self._from_numbers(numbers)
        static_size = batch_size if isinstance(batch_size, int) else None
        return tf.ensure_shape(mask, [static_size, *self.grid_size])

    def _order(self, numbers):
        """Returns the order in which mask patches are hidden, low first.

        Args:
            numbers: float32 [B, numbers_per_sample]. Uniform in [0, 1).

        Returns:
            float32 or int32 [B, n], row-major. Different for every patch of
            a sample, up to chance.
        """
        raise NotImplementedError

    def _from_numbers(self, numbers):
        # The rank of a patch is its position in a permutation, so that equal
        # places in the order cannot change the count.
        ranks = tf.argsort(tf.argsort(self._order(numbers)))  # [B, n]
        hidden = tf.cast(ranks < self.num_hidden, tf.int32)
        mask = tf.reshape(hidden, [-1, *self.mask_grid_size])  # [B, R, C]
        repeats = self.mask_patch_size // self.patch_size
        mask = tf.repeat(mask, repeats, axis=1)
        return tf.repeat(mask, repeats, axis=2)  # [B, h, w]


def _seed(run_seed, index):
    return randomness.seed_for(run_seed, randomness.MASK, index)
