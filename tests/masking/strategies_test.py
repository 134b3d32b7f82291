"""Tests for tf_simmim.masking.strategies."""

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import masking


class CreateTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        ("random", masking.RandomPatchMask, 8),
        ("block_wise", masking.BlockWiseMask, 8),
        ("grid", masking.GridMask, 8),
        ("free_form", masking.FreeFormMask, 8),
        ("pixel", masking.SinglePatchMask, 4),
    )
    def test_arguments_reach_the_strategy(self, name, cls, mask_patch_size):
        mask = masking.create(name, (32, 48), 4, 8, 0.7)
        self.assertIs(type(mask), cls)
        self.assertIsInstance(mask, masking.PatchMask)
        self.assertEqual(mask.grid_size, (8, 12))
        self.assertEqual(mask.patch_size, 4)
        self.assertEqual(mask.mask_patch_size, mask_patch_size)
        self.assertEqual(mask.mask_ratio, 0.7)

    def test_every_strategy_is_in_the_table(self):
        self.assertEqual(
            tuple(masking.STRATEGIES),
            ("random", "block_wise", "grid", "free_form", "pixel"),
        )

    @parameterized.parameters("blockwise", "", None, 3, (["random"],))
    def test_unknown_name_is_refused(self, name):
        with self.assertRaisesRegex(
            ValueError, "`mask_strategy` must be one of.*'block_wise'.*Received"
        ):
            masking.create(name, 96, 16)


if __name__ == "__main__":
    tf.test.main()
