"""Block-wise masks: the mask of BEiT, with an exact count.

Dimension key:
  B: batch   R C: grid of mask patches   n: R*C   K: number of blocks
"""

import math

import numpy as np
import tensorflow as tf

from tf_simmim.masking import patch_mask

# BEiT's smallest block: 16 of its 14 x 14 patches.
_MIN_AREA = 16 / 196
# Height over width, between 0.3 and 1 / 0.3, evenly in its logarithm.
_ASPECTS = np.exp(np.log(0.3) * np.linspace(-15 / 16, 15 / 16, 16))
_NUMBERS_PER_BLOCK = 4  # area, aspect, top, left


class BlockWiseMask(patch_mask.PatchMask):
    """Hides rectangular blocks of mask patches until the count is reached.

    Block k = 0, 1, ... has an area that is uniform between a twelfth of the
    image (16 of 196) and num_hidden / 2^k: on average what the blocks before
    it have left. Its aspect is log-uniform between 0.3 and 1 / 0.3, its place
    uniform inside the image. A patch's place in the order is the first block
    that covers it; the last block is cut where the count is full.

    Blocks lie inside the image, so patches at its corners are hidden less
    often than those in the middle, as with BEiT. Arguments, attributes and
    errors are those of `PatchMask`.

    Source: Bao et al., BEiT, 2021, https://arxiv.org/abs/2106.08254,
        algorithm 1. Differs from the paper: a fixed number of blocks, drawn
        ahead, instead of a loop until enough is hidden; the number of hidden
        patches is exact, where the paper's is the first above the ratio.
    """

    def __init__(
        self, image_size, patch_size, mask_patch_size=32, mask_ratio=0.6
    ):
        super().__init__(image_size, patch_size, mask_patch_size, mask_ratio)
        n, num_hidden = self.num_mask_patches, self.num_hidden
        self._min_area = min(max(round(_MIN_AREA * n), 1), num_hidden)
        # Twice the number of smallest blocks, thrown anywhere, that would
        # leave no more visible than there should be.
        thrown = math.log(n / (n - num_hidden)) * n / self._min_area
        self.num_blocks = 8 + math.ceil(2 * thrown)
        self._max_areas = np.maximum(
            num_hidden >> np.arange(self.num_blocks), self._min_area
        )
        areas = np.arange(self._min_area, num_hidden + 1)
        heights, widths = _block_sizes(areas, self.mask_grid_size)
        self._heights, self._widths = heights.ravel(), widths.ravel()
        # One more: from which end of the image the last block is filled.
        self.numbers_per_sample = _NUMBERS_PER_BLOCK * self.num_blocks + 1

    def _order(self, numbers):
        rows, columns = self.mask_grid_size
        n = self.num_mask_patches
        area, aspect, top, left = tf.unstack(
            tf.reshape(
                numbers[:, :-1], [-1, self.num_blocks, _NUMBERS_PER_BLOCK]
            ),
            axis=-1,
        )  # [B, K] each
        area = patch_mask.whole_below(
            area, self._max_areas - self._min_area + 1
        )
        aspect = patch_mask.whole_below(aspect, len(_ASPECTS))
        size = area * len(_ASPECTS) + aspect
        height = tf.gather(tf.constant(self._heights, tf.int32), size)
        width = tf.gather(tf.constant(self._widths, tf.int32), size)
        top = patch_mask.whole_below(top, rows - height + 1)
        left = patch_mask.whole_below(left, columns - width + 1)

        in_rows = _is_between(tf.range(rows), top, height)
        in_columns = _is_between(tf.range(columns), left, width)
        covers = in_rows[..., tf.newaxis] & in_columns[:, :, tf.newaxis]
        blocks = tf.range(self.num_blocks)[:, tf.newaxis, tf.newaxis]
        first = tf.where(covers, blocks, self.num_blocks)  # [B, K, R, C]
        first = tf.reshape(tf.reduce_min(first, axis=1), [-1, n])  # [B, n]

        places = tf.range(n)
        from_the_end = numbers[:, -1:] < 0.5
        return first * n + tf.where(from_the_end, n - 1 - places, places)


def _block_sizes(areas, mask_grid_size):
    """Returns int heights and widths, [areas, aspects], that fit the grid."""
    rows, columns = mask_grid_size
    areas = areas[:, np.newaxis]
    heights = np.rint(np.sqrt(areas * _ASPECTS)).astype(np.int32)
    # A block that is too wide for the grid becomes as much higher.
    heights = np.clip(np.maximum(heights, -(-areas // columns)), 1, rows)
    widths = np.rint(areas / heights).astype(np.int32)
    return heights, np.clip(widths, 1, columns)


def _is_between(places, start, length):
    """Returns bool [B, K, places]: which ones lie in start .. + length - 1."""
    start = start[..., tf.newaxis]
    return (places >= start) & (places < start + length[..., tf.newaxis])
