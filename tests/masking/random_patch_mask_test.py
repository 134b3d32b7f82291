"""Tests for tf_simmim.masking.random_patch_mask.

What it has in common with other strategies is tested in patch_mask_test.py.
"""

import numpy as np
import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.masking import random_patch_mask

SIZE, P, Q = (32, 48), 4, 8  # 8x12 patches in 4x6 mask patches


def seed(position=0):
    return randomness.seed_for(7, randomness.MASK, position)


class RandomPatchMaskTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.mask = random_patch_mask.RandomPatchMask(SIZE, P, Q, 0.6)

    def test_attributes_describe_the_grid(self):
        self.assertEqual(self.mask.grid_size, (8, 12))
        self.assertEqual(self.mask.mask_grid_size, (4, 6))
        self.assertEqual(self.mask.num_mask_patches, 24)
        self.assertEqual(self.mask.num_hidden, 15)

    def test_defaults_are_those_of_the_paper(self):
        mask = random_patch_mask.RandomPatchMask(224, 16)
        self.assertEqual(mask.num_mask_patches, 49)
        self.assertEqual(mask.num_hidden, 30)

    def test_a_seed_keeps_its_mask_in_later_versions(self):
        # Runs that were begun with these masks go on with them.
        want = [
            [0, 0, 1, 1, 0, 0],
            [1, 1, 1, 1, 0, 0],
            [1, 0, 1, 1, 1, 1],
            [1, 1, 0, 1, 1, 0],
        ]
        squares = self.mask.sample(seed()).numpy()[::2, ::2]
        self.assertAllEqual(squares, want)

    def test_every_position_is_hidden_equally_often(self):
        samples = 4000
        masks = self.mask.sample_batch(seed(), samples).numpy()
        frequency = masks.mean(axis=0)
        ratio = 15 / 24
        # Five standard deviations of a binomial, for the 24 positions.
        margin = 5 * np.sqrt(ratio * (1 - ratio) / samples)
        self.assertAllClose(frequency, np.full([8, 12], ratio), atol=margin)

    def test_pairs_of_positions_are_hidden_equally_often(self):
        samples = 4000
        masks = self.mask.sample_batch(seed(), samples).numpy()
        corners = masks[:, ::2, ::2].reshape(samples, 24).astype(np.float64)
        together = corners.T @ corners / samples
        pairs = together[~np.eye(24, dtype=bool)]
        want = 15 * 14 / (24 * 23)
        margin = 5 * np.sqrt(want * (1 - want) / samples)
        self.assertAllClose(pairs, np.full_like(pairs, want), atol=margin)


if __name__ == "__main__":
    tf.test.main()
