"""Tests for tf_simmim.masking.random_patch_mask."""

import fractions
import math

import hypothesis
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import strategies as st

from tf_simmim import randomness
from tf_simmim.masking import random_patch_mask

SIZE, P, Q = (32, 48), 4, 8  # 8x12 patches in 4x6 mask patches


def seed(position=0):
    return randomness.seed_for(7, randomness.MASK, position)


@st.composite
def generators(draw):
    """Generators of any grid and ratio that hide some patches, not all."""
    rows = draw(st.integers(1, 6))
    columns = draw(st.integers(2, 7))
    patch_size = draw(st.sampled_from([1, 2, 4]))
    repeats = draw(st.integers(1, 3))
    percent = draw(st.integers(1, 99))
    hypothesis.assume(-(-percent * rows * columns // 100) < rows * columns)
    mask_patch_size = patch_size * repeats
    return random_patch_mask.RandomPatchMask(
        (rows * mask_patch_size, columns * mask_patch_size),
        patch_size,
        mask_patch_size,
        percent / 100,
    )


class CountHiddenTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (36, 0.6, 22),
        (49, 0.6, 30),
        (20, 0.55, 11),  # 0.55 * 20 is above 11 in floating point
        (10, 0.7, 7),
        (100, 0.07, 7),  # so is 0.07 * 100
        (3, 0.01, 1),
        (5, 0.99, 5),
    )
    def test_counts_up_from_the_decimal_ratio(self, patches, ratio, want):
        self.assertEqual(random_patch_mask.count_hidden(patches, ratio), want)

    @hypothesis.settings(deadline=None)
    @hypothesis.given(
        patches=st.integers(1, 3000), thousandths=st.integers(1, 999)
    )
    def test_is_the_exact_ceiling(self, patches, thousandths):
        exact = math.ceil(fractions.Fraction(thousandths * patches, 1000))
        got = random_patch_mask.count_hidden(patches, thousandths / 1000)
        self.assertEqual(got, exact)


class RandomPatchMaskTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.mask = random_patch_mask.RandomPatchMask(SIZE, P, Q, 0.6)

    @hypothesis.settings(max_examples=40, deadline=None)
    @hypothesis.given(mask=generators(), position=st.integers(0, 2**62))
    def test_hides_exactly_ceil_whole_mask_patches(self, mask, position):
        sample = mask.sample(seed(position)).numpy()
        self.assertEqual(sample.shape, mask.grid_size)
        self.assertEqual(sample.dtype, np.int32)
        self.assertContainsSubset(np.unique(sample), [0, 1])

        q = mask.mask_patch_size // mask.patch_size
        rows, columns = mask.mask_grid_size
        cells = sample.reshape(rows, q, columns, q)
        corners = cells[:, 0, :, 0]
        self.assertAllEqual(cells, cells * 0 + corners[:, None, :, None])
        count = random_patch_mask.count_hidden(rows * columns, mask.mask_ratio)
        self.assertEqual(corners.sum(), count)
        self.assertEqual(mask.num_hidden, count)

    def test_attributes_describe_the_grid(self):
        self.assertEqual(self.mask.grid_size, (8, 12))
        self.assertEqual(self.mask.mask_grid_size, (4, 6))
        self.assertEqual(self.mask.num_mask_patches, 24)
        self.assertEqual(self.mask.num_hidden, 15)

    def test_defaults_are_those_of_the_paper(self):
        mask = random_patch_mask.RandomPatchMask(224, 16)
        self.assertEqual(mask.num_mask_patches, 49)
        self.assertEqual(mask.num_hidden, 30)

    def test_the_seed_decides_the_mask(self):
        first = self.mask.sample(seed())
        self.assertAllEqual(first, self.mask.sample(seed()))
        self.assertNotAllEqual(first, self.mask.sample(seed(1)))

    def test_masks_of_a_batch_differ_and_follow_the_seed(self):
        masks = self.mask.sample_batch(seed(), 5)
        self.assertEqual(masks.shape, [5, 8, 12])
        self.assertLen(np.unique(masks, axis=0), 5)
        self.assertAllEqual(np.sum(masks, axis=(1, 2)), [15 * 4] * 5)
        self.assertAllEqual(masks, self.mask.sample_batch(seed(), 5))
        self.assertNotAllEqual(masks, self.mask.sample_batch(seed(1), 5))

    def test_a_batch_of_one_is_the_single_mask(self):
        batch = self.mask.sample_batch(seed(), 1)
        self.assertAllEqual(batch[0], self.mask.sample(seed()))

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

    @parameterized.parameters(False, True)
    def test_graph_and_xla_draw_the_mask_of_eager_mode(self, jit_compile):
        compiled = tf.function(self.mask.sample, jit_compile=jit_compile)
        batch = tf.function(
            lambda seed: self.mask.sample_batch(seed, 3),
            jit_compile=jit_compile,
        )
        for position in range(3):
            s = seed(position)
            self.assertAllEqual(compiled(s), self.mask.sample(s))
            self.assertAllEqual(batch(s), self.mask.sample_batch(s, 3))

    def test_a_data_pipeline_draws_the_mask_of_eager_mode(self):
        data = tf.data.Dataset.range(4).map(lambda k: self.mask.sample(seed(k)))
        self.assertEqual(data.element_spec.shape, [8, 12])
        for position, mask in enumerate(data):
            self.assertAllEqual(mask, self.mask.sample(seed(position)))

    @parameterized.parameters(0.0, 1.0, -0.5, 1.5)
    def test_ratio_outside_its_range_is_refused(self, mask_ratio):
        with self.assertRaisesRegex(
            ValueError, "`mask_ratio` must lie strictly between 0 and 1"
        ):
            random_patch_mask.RandomPatchMask(SIZE, P, Q, mask_ratio)

    @parameterized.parameters(
        (32, 32, 0.6, "all 1 mask patches of a 32x32 image"),
        ((32, 48), 16, 0.9, "all 6 mask patches of a 32x48 image"),
    )
    def test_hiding_everything_is_refused_with_what_to_change(
        self, size, mask_patch_size, ratio, words
    ):
        with self.assertRaisesRegex(
            ValueError, f"hides {words}.*smaller `mask_patch_size`"
        ):
            random_patch_mask.RandomPatchMask(size, 4, mask_patch_size, ratio)

    def test_mask_patch_that_cuts_model_patches_is_refused(self):
        with self.assertRaisesRegex(
            ValueError,
            r"`mask_patch_size` must be a multiple of `patch_size` \(16 px\)"
            ".*32x32 or 48x48",
        ):
            random_patch_mask.RandomPatchMask(96, 16, 40)

    def test_image_that_cuts_mask_patches_is_refused(self):
        with self.assertRaisesRegex(
            ValueError,
            r"`image_size` must be a multiple of `mask_patch_size` \(32 px\)"
            ".*192x96 or 224x96.*Received: image_size=208x96",
        ):
            random_patch_mask.RandomPatchMask((208, 96), 16, 32)

    def test_image_size_that_is_not_a_pair_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`image_size` must be"):
            random_patch_mask.RandomPatchMask((32, 48, 3), P, Q)


class ToPixelMaskTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(tf.int32, tf.float32, tf.bool)
    def test_each_patch_covers_its_pixels(self, dtype):
        patch_mask = tf.constant([[[1, 0, 0], [0, 1, 1]], [[0] * 3, [1] * 3]])
        pixels = random_patch_mask.to_pixel_mask(tf.cast(patch_mask, dtype), 2)
        want = np.zeros([2, 4, 6], np.int32)
        want[0, 0:2, 0:2] = want[0, 2:4, 2:6] = want[1, 2:4] = 1
        self.assertEqual(pixels.dtype, dtype)
        self.assertAllEqual(tf.cast(pixels, tf.int32), want)


if __name__ == "__main__":
    tf.test.main()
