"""Tests for tf_simmim.masking.distance."""

import math

import hypothesis
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import strategies as st

from tf_simmim import masking
from tf_simmim.masking import distance


def by_definition(mask, patch_size):
    """Returns AvgDist of one mask, pixel by pixel."""
    pixels = np.kron(mask, np.ones([patch_size, patch_size]))
    hidden, visible = (np.argwhere(pixels == value) for value in (1, 0))
    apart = np.linalg.norm(hidden[:, None] - visible[None], axis=-1)
    return apart.min(axis=1).mean()


class AverageDistanceTest(tf.test.TestCase, parameterized.TestCase):
    def test_hand_worked_masks(self):
        masks = [
            [[1, 1, 1, 0], [1, 1, 1, 0]],  # 3, 2 and 1 to the right, twice
            [[0, 1, 0, 0], [0, 0, 0, 1]],  # next to a visible one
            [[1, 1, 1, 1], [1, 1, 1, 0]],  # 1, 2, 3 and 1, sqrt(2, 5, 10)
        ]
        roots = sum(math.sqrt(n) for n in (2, 5, 10))
        want = [2.0, 1.0, (1 + 2 + 3 + 1 + roots) / 7]
        got = distance.average_distance(masks, 1)
        self.assertEqual(got.dtype, np.float64)
        self.assertAllClose(got, want, rtol=1e-12)

    def test_is_in_pixels_of_the_image(self):
        # A hidden square of 4 x 4: twelve pixels at its rim, four inside.
        mask = np.zeros([2, 3, 5], np.int32)
        mask[:, 1, 2] = 1
        got = distance.average_distance(mask, 4)
        self.assertAllClose(got, [20 / 16] * 2)
        # Columns 2 to 5 of two rows are hidden: 1, 2, 2 and 1 away.
        strip = np.array([[[0, 1, 1, 0]]])
        self.assertAllClose(distance.average_distance(strip, 2), [1.5])

    @hypothesis.settings(max_examples=30, deadline=None)
    @hypothesis.given(
        bits=st.lists(
            st.lists(st.booleans(), min_size=4, max_size=4),
            min_size=3,
            max_size=3,
        ),
        patch_size=st.integers(1, 3),
    )
    def test_is_its_definition(self, bits, patch_size):
        mask = np.array(bits, np.int32)
        hypothesis.assume(0 < mask.sum() < mask.size)
        got = distance.average_distance(mask[np.newaxis], patch_size)
        self.assertAllClose(got, [by_definition(mask, patch_size)])

    def test_takes_tensors_and_truth_values(self):
        mask = np.array([[[1, 0, 0], [1, 1, 0]]])
        want = distance.average_distance(mask, 2)
        for same in (tf.constant(mask), mask.astype(bool)):
            self.assertAllEqual(distance.average_distance(same, 2), want)

    @parameterized.parameters(0, 1)
    def test_mask_that_hides_all_or_nothing_is_refused(self, value):
        masks = np.stack([np.eye(3), np.full([3, 3], value)])
        with self.assertRaisesRegex(
            ValueError, rf"hidden and visible.*Received.*{value}\.0\]"
        ):
            distance.average_distance(masks, 2)

    def test_single_mask_without_a_batch_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"must be \[batch.*\(2, 3\)"):
            distance.average_distance(np.eye(2, 3), 4)


class ExpectedDistanceTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        # Measured with the reference's generator, 60 masks each at 192 px.
        (4, 0.6, 2.1),
        (8, 0.6, 3.7),
        (16, 0.4, 5.3),
        (16, 0.6, 7.2),
        (16, 0.8, 12.5),
        (32, 0.4, 11.0),
        (32, 0.6, 15.3),
        (32, 0.7, 20.7),
        (64, 0.6, 34.1),
    )
    def test_random_masks_are_as_hard_as_the_reference(self, size, ratio, want):
        mask = masking.RandomPatchMask(192, 4, size, ratio)
        # Of 60 masks of 9 squares, the mean is that uncertain.
        tolerance = 0.12 if size == 64 else 0.06
        self.assertAllClose(
            distance.expected_distance(mask), want, rtol=tolerance
        )

    @parameterized.parameters((192, 4), (224, 16))
    def test_the_default_lies_in_the_range_that_the_paper_found_best(
        self, image_size, patch_size
    ):
        mask = masking.RandomPatchMask(image_size, patch_size)
        self.assertBetween(distance.expected_distance(mask), 13, 17)

    def test_strategies_stand_in_order(self):
        names = ("pixel", "grid", "random", "free_form", "block_wise")
        values = [
            distance.expected_distance(masking.create(name, 192, 4, 16), 24)
            for name in names
        ]
        self.assertEqual(values, sorted(values))

    def test_is_the_mean_of_seeded_masks(self):
        mask = masking.RandomPatchMask((32, 48), 4, 8)
        first = distance.expected_distance(mask, 5, seed=2)
        self.assertEqual(first, distance.expected_distance(mask, 5, seed=2))
        self.assertNotEqual(first, distance.expected_distance(mask, 5, seed=3))
        self.assertNotEqual(first, distance.expected_distance(mask, 6, seed=2))


if __name__ == "__main__":
    tf.test.main()
