"""Tests for tf_simmim.masking.grid_mask."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import randomness
from tf_simmim.masking import grid_mask


def masks(image_size, mask_ratio, count=40):
    mask = grid_mask.GridMask(image_size, 1, 1, mask_ratio)
    seed = randomness.seed_for(7, randomness.MASK, 0)
    return mask.sample_batch(seed, count).numpy()


class GridMaskTest(tf.test.TestCase, parameterized.TestCase):
    def test_three_quarters_leave_one_patch_of_every_two_by_two(self):
        places = set()
        for mask in masks((8, 4), 0.75):
            (row, *_), (column, *_) = np.nonzero(1 - mask)
            want = np.ones([8, 4], np.int32)
            want[row::2, column::2] = 0
            self.assertAllEqual(mask, want)
            places.add((row, column))
        self.assertEqual(places, {(0, 0), (0, 1), (1, 0), (1, 1)})

    def test_a_half_is_a_chessboard(self):
        rows, columns = np.indices([4, 6])
        board = (rows + columns) % 2
        found = set()
        for mask in masks((4, 6), 0.5):
            which = int(mask[0, 0])
            self.assertAllEqual(mask, (board + which) % 2)
            found.add(which)
        self.assertEqual(found, {0, 1})

    def test_every_two_by_two_window_has_the_ratio_within_one_patch(self):
        # At 0.6 of 8 x 8, which the pattern divides: 39 are hidden.
        for mask in masks((8, 8), 0.6):
            around = np.pad(mask, [[0, 1], [0, 1]], mode="wrap")
            windows = (
                around[:-1, :-1]
                + around[1:, :-1]
                + around[:-1, 1:]
                + around[1:, 1:]
            )
            self.assertAllInRange(windows, 2, 3)


if __name__ == "__main__":
    tf.test.main()
