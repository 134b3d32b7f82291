"""Tests for tf_simmim.masking.block_wise_mask."""

import hypothesis
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import strategies as st
from scipy import ndimage

from tf_simmim import masking
from tf_simmim import randomness
from tf_simmim.masking import block_wise_mask


def seed(position=0):
    return randomness.seed_for(7, randomness.MASK, position)


class BlockSizesTest(tf.test.TestCase):
    @hypothesis.settings(deadline=None)
    @hypothesis.given(
        rows=st.integers(1, 60), columns=st.integers(1, 60), data=st.data()
    )
    def test_blocks_fit_the_grid_and_have_about_their_area(
        self, rows, columns, data
    ):
        area = data.draw(st.integers(1, rows * columns))
        heights, widths = block_wise_mask._block_sizes(
            np.array([area]), (rows, columns)
        )
        self.assertAllInRange(heights, 1, rows)
        self.assertAllInRange(widths, 1, columns)
        # Rounding a side to whole patches adds or leaves half a row or column.
        error = np.abs(heights * widths - area)
        self.assertTrue(np.all(error <= np.maximum(heights, widths)))

    def test_shapes_go_from_three_times_as_wide_to_three_times_as_high(self):
        heights, widths = block_wise_mask._block_sizes(
            np.array([900]), (90, 90)
        )
        aspects = heights / widths
        self.assertAllClose(
            [aspects.min(), aspects.max()], [0.32, 3.1], rtol=0.05
        )
        self.assertTrue(np.all(np.diff(aspects) < 0))


class BlockWiseMaskTest(tf.test.TestCase, parameterized.TestCase):
    def test_a_mask_of_one_block_is_a_rectangle(self):
        # 2 of 24 patches: the smallest block of an image of 24 is 2.
        mask = block_wise_mask.BlockWiseMask((4, 6), 1, 1, 0.07)
        self.assertEqual(mask.num_hidden, 2)
        shapes = set()
        for hidden in mask.sample_batch(seed(), 60).numpy():
            rows, columns = np.nonzero(hidden)
            shapes.add((np.ptp(rows), np.ptp(columns)))
        self.assertEqual(shapes, {(0, 1), (1, 0)})

    def test_hidden_patches_hang_together_unlike_random_ones(self):
        def regions(name):
            mask = masking.create(name, (14, 18), 1, 1, 0.4)
            masks = mask.sample_batch(seed(), 50).numpy()
            return np.mean([ndimage.label(hidden)[1] for hidden in masks])

        self.assertLess(regions("block_wise"), 3)
        self.assertGreater(regions("random"), 10)

    @parameterized.parameters(
        # AvgDist of BEiT's own algorithm, 400 masks, at the same count.
        (14, 16, 0.4, 20.7),
        (14, 16, 0.6, 28.3),
        (6, 32, 0.6, 29.9),
    )
    def test_masks_are_as_hard_as_those_of_beit(self, side, size, ratio, want):
        mask = block_wise_mask.BlockWiseMask(side * size, size, size, ratio)
        self.assertAllClose(
            masking.expected_distance(mask, 200), want, rtol=0.08
        )

    def test_blocks_are_enough_at_usual_ratios(self):
        # A patch that no block covers has the highest place in the order.
        for ratio in (0.2, 0.6, 0.75):
            mask = block_wise_mask.BlockWiseMask((192, 256), 16, 16, ratio)
            numbers = randomness.uniform([500, mask.numbers_per_sample], seed())
            last = np.sort(mask._order(numbers))[:, mask.num_hidden - 1]
            never = mask.num_blocks * mask.num_mask_patches
            self.assertLess(last.max(), never)


if __name__ == "__main__":
    tf.test.main()
