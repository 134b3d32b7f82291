"""Tests for tf_simmim.masking.patch_mask, and of what every strategy keeps."""

import fractions
import math

import hypothesis
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import strategies as st

from tf_simmim import masking
from tf_simmim import randomness
from tf_simmim.masking import patch_mask

SIZE, P, Q = (32, 48), 4, 8  # 8x12 patches in 4x6 mask patches
STRATEGIES = tuple(masking.STRATEGIES)


def seed(position=0):
    return randomness.seed_for(7, randomness.MASK, position)


def create(name, image_size=SIZE, patch_size=P, mask_patch_size=Q, ratio=0.6):
    return masking.create(name, image_size, patch_size, mask_patch_size, ratio)


def mask_patches(mask, patch_masks):
    """Returns one number for each mask patch, having seen it is whole."""
    q = mask.mask_patch_size // mask.patch_size
    rows, columns = mask.mask_grid_size
    cells = np.reshape(patch_masks, [-1, rows, q, columns, q])
    corners = cells[:, :, :1, :, :1]
    np.testing.assert_array_equal(cells, cells * 0 + corners)
    return corners[:, :, 0, :, 0]


@st.composite
def generators(draw, names):
    """Generators of any grid and ratio that hide some patches, not all."""
    name = draw(st.sampled_from(names))
    rows = draw(st.integers(1, 9))
    columns = draw(st.integers(2, 7))
    patch_size = draw(st.sampled_from([1, 2, 4]))
    repeats = draw(st.integers(1, 3))
    percent = draw(st.integers(1, 99))
    squares = rows * columns
    if name == "pixel":
        squares *= repeats**2
    hypothesis.assume(-(-percent * squares // 100) < squares)
    size = patch_size * repeats
    return masking.create(
        name, (rows * size, columns * size), patch_size, size, percent / 100
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
        self.assertEqual(patch_mask.count_hidden(patches, ratio), want)

    @hypothesis.settings(deadline=None)
    @hypothesis.given(
        patches=st.integers(1, 3000), thousandths=st.integers(1, 999)
    )
    def test_is_the_exact_ceiling(self, patches, thousandths):
        exact = math.ceil(fractions.Fraction(thousandths * patches, 1000))
        got = patch_mask.count_hidden(patches, thousandths / 1000)
        self.assertEqual(got, exact)


class WholeBelowTest(tf.test.TestCase):
    @hypothesis.settings(deadline=None)
    @hypothesis.given(
        bits=st.integers(0, 2**24 - 1), bound=st.integers(1, 2**20)
    )
    def test_is_the_floor_and_below_the_bound(self, bits, bound):
        numbers = tf.constant(bits * 2.0**-24)
        got = int(patch_mask.whole_below(numbers, bound))
        self.assertBetween(got, 0, bound - 1)
        self.assertLessEqual(abs(got - bits * bound / 2**24), 1 + 2**-4)

    def test_the_greatest_number_stays_below_any_bound(self):
        bounds = np.arange(1, 1 << 20)
        got = patch_mask.whole_below(tf.constant(1 - 2.0**-24), bounds)
        self.assertAllEqual(got, bounds - 1)


class EveryStrategyTest(tf.test.TestCase, parameterized.TestCase):
    @hypothesis.settings(max_examples=60, deadline=None)
    @hypothesis.given(
        mask=generators(STRATEGIES), position=st.integers(0, 2**62)
    )
    def test_hides_exactly_ceil_whole_mask_patches(self, mask, position):
        samples = mask.sample_batch(seed(position), 3).numpy()
        self.assertEqual(samples.shape, (3, *mask.grid_size))
        self.assertEqual(samples.dtype, np.int32)
        self.assertContainsSubset(np.unique(samples), [0, 1])

        squares = mask_patches(mask, samples)
        n = squares[0].size
        count = patch_mask.count_hidden(n, mask.mask_ratio)
        self.assertAllEqual(squares.sum(axis=(1, 2)), [count] * 3)
        self.assertEqual(mask.num_mask_patches, n)
        self.assertEqual(mask.num_hidden, count)
        self.assertAllEqual(
            (samples == 0).sum(axis=(1, 2)), [mask.num_visible_patches] * 3
        )

    @parameterized.parameters(*STRATEGIES)
    def test_the_seed_decides_the_mask(self, name):
        mask = create(name)
        first = mask.sample(seed())
        self.assertAllEqual(first, mask.sample(seed()))
        others = [mask.sample(seed(k)).numpy() for k in range(1, 5)]
        self.assertGreater(len(np.unique([first, *others], axis=0)), 2)

    @parameterized.parameters(*STRATEGIES)
    def test_masks_of_a_batch_differ_and_follow_the_seed(self, name):
        mask = create(name)
        masks = mask.sample_batch(seed(), 5)
        self.assertEqual(masks.shape, [5, 8, 12])
        self.assertGreater(len(np.unique(masks, axis=0)), 3)
        self.assertAllEqual(masks, mask.sample_batch(seed(), 5))
        self.assertNotAllEqual(masks, mask.sample_batch(seed(1), 5))
        single = mask.sample_batch(seed(2), 1)
        self.assertAllEqual(single[0], mask.sample(seed(2)))

    @parameterized.product(
        name=STRATEGIES,
        sizes=[(SIZE, P, Q, 0.6), ((48, 40), 2, 8, 0.85)],
        jit_compile=[False, True],
    )
    def test_graph_and_xla_draw_the_masks_of_eager_mode(
        self, name, sizes, jit_compile
    ):
        mask = create(name, *sizes)
        compiled = tf.function(
            lambda seed: mask.sample_batch(seed, 9), jit_compile=jit_compile
        )
        for position in range(2):
            s = seed(position)
            self.assertAllEqual(compiled(s), mask.sample_batch(s, 9))
        self.assertEqual(compiled(seed()).shape, [9, *mask.grid_size])

    @parameterized.parameters(*STRATEGIES)
    def test_a_data_pipeline_draws_the_mask_of_eager_mode(self, name):
        mask = create(name)
        data = tf.data.Dataset.range(3).map(lambda k: mask.sample(seed(k)))
        self.assertEqual(data.element_spec.shape, [8, 12])
        for position, sample in enumerate(data):
            self.assertAllEqual(sample, mask.sample(seed(position)))

    @parameterized.product(name=STRATEGIES, jit_compile=[False, True])
    def test_a_step_has_the_masks_of_the_elements_of_a_stream(
        self, name, jit_compile
    ):
        mask = create(name)
        of_step = tf.function(
            lambda step: mask.of_step(5, step, 3), jit_compile=jit_compile
        )
        got = [of_step(tf.constant(step, tf.int64)) for step in range(2)]
        want = [mask.of_element(5, index) for index in range(6)]
        self.assertAllEqual(tf.concat(got, axis=0), want)
        self.assertEqual(got[0].shape, [3, *mask.grid_size])
        self.assertAllEqual(
            want[1], mask.sample(randomness.seed_for(5, randomness.MASK, 1))
        )
        self.assertNotAllEqual(want, [mask.of_element(6, k) for k in range(6)])

    @parameterized.parameters(*STRATEGIES)
    def test_two_replicas_draw_the_masks_of_one(self, name):
        mask = create(name)
        strategy = tf.distribute.MirroredStrategy(
            ["/cpu:0", "/cpu:1"],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
        run = tf.function(
            lambda: strategy.run(
                lambda: (
                    mask.sample_batch(seed(), 3),
                    # As many as are known when it runs, or none.
                    mask.of_step(5, 2, tf.size(seed()) + 1),
                    mask.of_step(5, 2, 0),
                )
            )
        )
        of_batch, of_step, none = (
            tf.concat(strategy.experimental_local_results(halves), axis=0)
            for halves in run()
        )
        self.assertAllEqual(of_batch, mask.sample_batch(seed(), 6))
        self.assertAllEqual(of_step, mask.of_step(5, 2, 6))
        self.assertEqual(none.shape, [0, 8, 12])

    @parameterized.parameters(
        ("random", 0.0, 0.0),
        ("free_form", 0.0, 0.0),
        ("pixel", 0.0, 0.0),
        # The image cuts the pattern of a grid.
        ("grid", 0.2, 0.1),
        # Blocks lie inside the image.
        ("block_wise", 0.5, 0.45),
    )
    def test_every_position_is_hidden_about_equally_often(
        self, name, below, above
    ):
        samples = 2000
        mask = create(name, ratio=0.5)
        masks = mask.sample_batch(seed(), samples)
        frequency = mask_patches(mask, masks).mean(axis=0)
        # Five standard deviations of a binomial.
        margin = 5 * np.sqrt(0.25 / samples)
        self.assertAllInRange(
            frequency, 0.5 - below - margin, 0.5 + above + margin
        )
        self.assertGreater(frequency.min(), 0.1)

    @parameterized.parameters(*STRATEGIES)
    def test_hides_more_with_a_higher_ratio(self, name):
        low, high = create(name, ratio=0.3), create(name, ratio=0.9)
        self.assertLess(low.num_hidden, high.num_hidden)
        self.assertLess(
            masking.expected_distance(low, 16),
            masking.expected_distance(high, 16),
        )

    @parameterized.product(
        name=STRATEGIES, mask_ratio=[0.0, 1.0, -0.5, float("nan")]
    )
    def test_ratio_outside_its_range_is_refused(self, name, mask_ratio):
        with self.assertRaisesRegex(
            ValueError, "`mask_ratio` must lie strictly between 0 and 1"
        ):
            create(name, ratio=mask_ratio)

    @parameterized.parameters(
        (32, 32, 0.6, "all 1 mask patches of a 32x32 image"),
        ((32, 48), 16, 0.9, "all 6 mask patches of a 32x48 image"),
    )
    def test_hiding_everything_is_refused_with_what_to_change(
        self, size, mask_patch_size, ratio, words
    ):
        for name in ("random", "block_wise", "grid", "free_form"):
            with self.assertRaisesRegex(
                ValueError, f"hides {words}.*smaller `mask_patch_size`"
            ):
                create(name, size, 4, mask_patch_size, ratio)

    @parameterized.parameters(*STRATEGIES[:-1])
    def test_mask_patch_that_cuts_model_patches_is_refused(self, name):
        with self.assertRaisesRegex(
            ValueError,
            "`mask_patch_size` must.*`patch_size`.*32x32 or 48x48",
        ):
            create(name, 96, 16, 40)

    @parameterized.parameters(*STRATEGIES[:-1])
    def test_image_that_cuts_mask_patches_is_refused(self, name):
        with self.assertRaisesRegex(
            ValueError,
            "`image_size` must.*`mask_patch_size`.*192x96 or 224x96",
        ):
            create(name, (208, 96), 16, 32)

    @parameterized.parameters(*STRATEGIES)
    def test_image_size_that_is_not_a_pair_is_refused(self, name):
        with self.assertRaisesRegex(ValueError, "`image_size` must be"):
            create(name, (32, 48, 3))


class PatchMaskTest(tf.test.TestCase):
    def test_a_strategy_of_ones_own_needs_an_order_alone(self):
        class LastPatches(patch_mask.PatchMask):
            numbers_per_sample = 1

            def _order(self, numbers):
                places = -tf.range(self.num_mask_patches)
                return tf.tile(places[tf.newaxis], [tf.shape(numbers)[0], 1])

        mask = LastPatches((4, 6), 1, 2, 0.5)
        want = np.array([[0, 0, 0], [1, 1, 1]]).repeat(2, 0).repeat(2, 1)
        self.assertAllEqual(mask.sample(seed()), want)
        self.assertAllEqual(mask.sample_batch(seed(), 2), [want, want])


if __name__ == "__main__":
    tf.test.main()
