"""Tests for tf_simmim.layers.random_masking.

The masks themselves are tested in tests/masking.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import masking
from tf_simmim import randomness
from tf_simmim.layers import random_masking

B, SIZE, P, Q = 3, (32, 48), 4, 8  # 8x12 patches in 4x6 mask patches


class RandomMaskingTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.images = tf.zeros([B, *SIZE, 2])
        self.seed = randomness.seed_for(0, randomness.MASK, 5)
        self.layer = random_masking.RandomMasking(SIZE, P, Q, 0.6)

    def test_draws_the_masks_of_the_generator(self):
        generator = masking.RandomPatchMask(SIZE, P, Q, 0.6)
        mask = self.layer(self.images, seed=self.seed)
        self.assertAllEqual(mask, generator.sample_batch(self.seed, B))
        self.assertEqual(mask.dtype, tf.int32)
        self.assertEqual(mask.shape, [B, 8, 12])

    def test_samples_get_different_masks_with_the_same_count(self):
        mask = self.layer(self.images, seed=self.seed)
        self.assertNotAllEqual(mask[0], mask[1])
        self.assertNotAllEqual(mask[1], mask[2])
        hidden = 15 * (Q // P) ** 2  # ceil(0.6 * 24) mask patches
        self.assertAllEqual(np.sum(mask, axis=(1, 2)), [hidden] * B)

    def test_images_do_not_matter_and_the_seed_does(self):
        mask = self.layer(self.images, seed=self.seed)
        self.assertAllEqual(mask, self.layer(self.images + 9, seed=self.seed))
        other = randomness.seed_for(0, randomness.MASK, 6)
        self.assertNotAllEqual(mask, self.layer(self.images, seed=other))

    def test_batch_size_may_be_unknown(self):
        specs = [
            tf.TensorSpec([None, *SIZE, 2]),
            tf.TensorSpec([2], tf.int64),
        ]
        function = tf.function(self.layer.call, input_signature=specs)
        self.assertAllEqual(
            function(self.images, self.seed),
            self.layer(self.images, seed=self.seed),
        )
        shape = function.get_concrete_function().output_shapes
        self.assertEqual(shape.as_list(), [None, 8, 12])

    def test_has_no_weights(self):
        self.layer(self.images, seed=self.seed)
        self.assertEmpty(self.layer.weights)

    @parameterized.parameters(
        ({"mask_ratio": 0.25}, 6 * 4),
        ({"mask_patch_size": 16}, 4 * 16),
        ({"patch_size": 8}, 15),
        ({"image_size": (48, 48)}, 22 * 4),
    )
    def test_every_option_changes_what_is_hidden(self, options, num_hidden):
        config = dict(
            image_size=SIZE, patch_size=P, mask_patch_size=Q, mask_ratio=0.6
        )
        layer = random_masking.RandomMasking(**{**config, **options})
        mask = layer(self.images, seed=self.seed)
        self.assertAllEqual(np.sum(mask, axis=(1, 2)), [num_hidden] * B)

    @parameterized.parameters(*masking.STRATEGIES)
    def test_draws_the_masks_of_any_strategy(self, name):
        layer = random_masking.RandomMasking(SIZE, P, Q, 0.6, name)
        generator = masking.create(name, SIZE, P, Q, 0.6)
        self.assertAllEqual(
            layer(self.images, seed=self.seed),
            generator.sample_batch(self.seed, B),
        )
        self.assertEqual(layer.get_config()["mask_strategy"], name)

    def test_config_without_a_strategy_is_that_of_random_masks(self):
        config = self.layer.get_config()
        del config["mask_strategy"]
        layer = random_masking.RandomMasking.from_config(config)
        self.assertEqual(layer.mask_strategy, "random")

    def test_defaults_are_those_of_the_paper(self):
        layer = random_masking.RandomMasking(192, 16)
        mask = layer(tf.zeros([B, 192, 192, 3]), seed=self.seed)
        self.assertEqual(mask.shape, [B, 12, 12])
        self.assertAllEqual(np.sum(mask, axis=(1, 2)), [22 * 4] * B)

    def test_impossible_sizes_and_ratios_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`image_size` must be a mult"):
            random_masking.RandomMasking((33, 48), P, Q)
        with self.assertRaisesRegex(ValueError, "`mask_ratio` must lie"):
            random_masking.RandomMasking(SIZE, P, Q, mask_ratio=1.0)
        with self.assertRaisesRegex(ValueError, "`mask_strategy` must be"):
            random_masking.RandomMasking(SIZE, P, Q, mask_strategy="blocks")


if __name__ == "__main__":
    tf.test.main()
