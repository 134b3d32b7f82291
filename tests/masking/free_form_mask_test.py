"""Tests for tf_simmim.masking.free_form_mask."""

from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import masking
from tf_simmim import randomness
from tf_simmim.masking import free_form_mask


def seed(position=0):
    return randomness.seed_for(7, randomness.MASK, position)


class FreeFormMaskTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.mask = free_form_mask.FreeFormMask((12, 16), 1, 1, 0.5)

    def moments(self, *segment, first=0):
        """Returns when one segment covers the patches: whole ones, or -1."""
        values = [tf.constant([[value]]) for value in segment]
        moment = self.mask._moments(*values, first)[0].numpy()
        never = self.mask.num_strokes * 8 * 16
        return np.where(moment == never, -1, moment)

    def test_a_level_brush_covers_a_row_in_its_direction(self):
        # Middle in the centre of patch (3, 5); 32 units, or four patches, to
        # the right; half the brush is 4 units.
        got = self.moments(28, 44, 0, 32, 4 * 32, first=2)
        rows, columns = np.nonzero(got >= 0)
        self.assertEqual(set(rows), {3})
        self.assertEqual(set(columns), {3, 4, 5, 6, 7})
        row = got[3, 3:8]
        self.assertTrue(np.all(np.diff(row) > 0))
        self.assertAllEqual(row // 16, [2] * 5)
        # From right to left, the other way round.
        back = self.moments(28, 44, 0, -32, 4 * 32, first=2)[3, 3:8]
        self.assertTrue(np.all(np.diff(back) < 0))

    def test_a_wide_brush_covers_more_rows(self):
        got = self.moments(28, 44, 0, 32, 12 * 32)
        self.assertEqual(set(np.nonzero(got >= 0)[0]), {2, 3, 4})

    def test_a_stroke_that_leaves_comes_in_on_the_other_side(self):
        # Down through the last row and the first.
        got = self.moments(12 * 8, 44, 32, 0, 4 * 32)
        rows, columns = np.nonzero(got >= 0)
        self.assertEqual(set(columns), {5})
        self.assertEqual(set(rows), {9, 10, 11, 0, 1, 2})
        self.assertLess(got[11, 5], got[0, 5])

    def test_segments_of_a_stroke_are_joined(self):
        numbers = randomness.uniform(
            [3, self.mask.numbers_per_sample - 1], seed()
        )
        row, column, down, right, reach = (
            values.numpy().reshape(3, self.mask.num_strokes, 8)
            for values in self.mask._segments(numbers)
        )
        for middle, way in ((row, down), (column, right)):
            starts, ends = middle - way // 2, middle + way // 2
            self.assertAllEqual(starts[..., 1:], ends[..., :-1])
        lengths = np.hypot(down, right)
        self.assertAllInRange(reach / lengths, 3.9, 12)
        self.assertGreater(lengths.min(), 6)

    def test_strokes_are_thicker_than_dust_and_thinner_than_blocks(self):
        def distance(name):
            mask = masking.create(name, (96, 128), 4, 4, 0.5)
            return masking.expected_distance(mask, 24)

        self.assertGreater(distance("free_form"), 2 * distance("random"))
        self.assertLess(distance("free_form"), distance("block_wise"))

    def test_strokes_are_enough_at_every_ratio(self):
        for ratio in (0.1, 0.6, 0.9):
            mask = free_form_mask.FreeFormMask((192, 256), 16, 16, ratio)
            numbers = randomness.uniform([300, mask.numbers_per_sample], seed())
            last = np.sort(mask._order(numbers))[:, mask.num_hidden - 1]
            never = mask.num_strokes * 8 * 16 * mask.num_mask_patches
            self.assertLess(last.max(), never)

    def test_drawing_in_parts_changes_nothing(self):
        whole = self.mask.sample_batch(seed(), 4)
        with mock.patch.object(free_form_mask, "_CHUNK", 1):
            self.assertAllEqual(self.mask.sample_batch(seed(), 4), whole)


if __name__ == "__main__":
    tf.test.main()
