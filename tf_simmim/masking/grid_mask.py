"""Grid masks: visible patches spread as evenly as their number allows.

Dimension key:
  B: batch   R C: grid of mask patches   n: R*C   S: side of the pattern
"""

import numpy as np
import tensorflow as tf

from tf_simmim.masking import patch_mask


class GridMask(patch_mask.PatchMask):
    """Leaves visible a regular grid of mask patches.

    With a ratio of 0.75 one patch of every 2 x 2 is visible, with 0.5 every
    second one, as on a chessboard; between these, and where the image cuts
    the pattern, patches are added or left out one by one, evenly. The order
    is that of ordered dithering (a Bayer matrix). What is random is the place
    of the pattern, so there are few different masks.

    Every hidden patch touches a visible one: the easiest task of a given
    ratio. Arguments, attributes and errors are those of `PatchMask`.

    Source: He et al., MAE, 2021, https://arxiv.org/abs/2111.06377, table 1f
        ("grid", one of four visible). Differs from the paper: any ratio, and a
        place that is drawn for each image.
    """

    def __init__(
        self, image_size, patch_size, mask_patch_size=32, mask_ratio=0.6
    ):
        super().__init__(image_size, patch_size, mask_patch_size, mask_ratio)
        pattern = np.zeros([1, 1], np.int32)
        while len(pattern) < max(self.mask_grid_size):
            fourfold = 4 * pattern
            pattern = np.block(
                [[fourfold, fourfold + 2], [fourfold + 3, fourfold + 1]]
            )
        self._side = len(pattern)
        # Low numbers of the pattern are visible first, so hidden last.
        self._pattern = (self._side**2 - 1 - pattern).ravel()
        self.numbers_per_sample = 2  # top and left of the image in the pattern

    def _order(self, numbers):
        rows, columns = self.mask_grid_size
        start = patch_mask.whole_below(numbers, self._side)  # [B, 2]
        row = (tf.range(rows) + start[:, :1]) % self._side  # [B, R]
        column = (tf.range(columns) + start[:, 1:]) % self._side  # [B, C]
        place = row[..., tf.newaxis] * self._side + column[:, tf.newaxis]
        order = tf.gather(tf.constant(self._pattern, tf.int32), place)
        return tf.reshape(order, [-1, self.num_mask_patches])  # [B, n]
