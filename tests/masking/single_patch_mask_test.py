"""Tests for tf_simmim.masking.single_patch_mask."""

import numpy as np
import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.masking import random_patch_mask
from tf_simmim.masking import single_patch_mask

SEED = randomness.seed_for(7, randomness.MASK, 0)


class SinglePatchMaskTest(tf.test.TestCase):
    def test_is_the_random_mask_of_model_patches(self):
        mask = single_patch_mask.SinglePatchMask((40, 24), 4, 8, 0.6)
        fine = random_patch_mask.RandomPatchMask((40, 24), 4, 4, 0.6)
        self.assertEqual(mask.num_hidden, 36)
        self.assertAllEqual(
            mask.sample_batch(SEED, 3), fine.sample_batch(SEED, 3)
        )

    def test_the_mask_patch_need_not_fit(self):
        mask = single_patch_mask.SinglePatchMask((40, 24), 8, 32)
        self.assertEqual(np.sum(mask.sample(SEED)), 9)  # of 15

    def test_hiding_everything_is_refused(self):
        with self.assertRaisesRegex(ValueError, "hides all 2 mask patches"):
            single_patch_mask.SinglePatchMask((8, 16), 8, mask_ratio=0.6)


if __name__ == "__main__":
    tf.test.main()
