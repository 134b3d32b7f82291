"""Tests for tf_simmim.randomness.

Replicas are compared by the conformance suite; here, that each of them draws
the rows of its own samples.
"""

import itertools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import randomness

STREAMS = ("ORDER", "AUGMENTATION", "MASK", "DROP_PATH", "CROP")


def draw(run_seed, position):
    """A seed and numbers from it, as a program derives them."""
    seed = randomness.seed_for(run_seed, randomness.MASK, position)
    seed = randomness.fold_in(seed, 3)
    return seed, randomness.uniform([20, 30], seed)


class RandomnessTest(tf.test.TestCase, parameterized.TestCase):
    def test_streams_keep_their_numbers(self):
        # Runs that were checkpointed continue with these.
        numbers = [getattr(randomness, name) for name in STREAMS]
        self.assertEqual(numbers, [0, 1, 2, 3, 4])

    def test_seeds_keep_their_values(self):
        # A change here would change every run that is resumed.
        seed, numbers = draw(5, 11)
        self.assertEqual(seed.dtype, tf.int64)
        self.assertAllEqual(seed, [52473179829496152, 3])
        self.assertAllEqual(
            numbers[0, :3] * 2**24, [8780549, 2992199, 15093915]
        )

    def test_every_seed_stream_and_position_gives_other_numbers(self):
        draws = set()
        for run_seed, stream, a, b in itertools.product(
            range(3), range(3), range(4), range(4)
        ):
            seed = randomness.seed_for(run_seed, stream, a, b)
            draws.add(float(randomness.uniform([], seed)))
        self.assertGreater(len(draws), 3 * 3 * 4 * 4 - 2)

    def test_positions_fold_in_one_after_another(self):
        seed = randomness.seed_for(5, randomness.MASK)
        self.assertAllEqual(seed, [5, randomness.MASK])
        step = randomness.fold_in(seed, 3)
        self.assertAllEqual(
            randomness.fold_in(seed, 3, 4), randomness.fold_in(step, 4)
        )
        self.assertAllEqual(
            randomness.seed_for(5, randomness.MASK, 3, 4),
            randomness.fold_in(step, 4),
        )
        self.assertNotAllEqual(
            randomness.fold_in(seed, 3, 4), randomness.fold_in(seed, 4, 3)
        )
        self.assertAllEqual(randomness.fold_in(seed), seed)

    @parameterized.parameters(False, True)
    def test_graph_and_xla_draw_the_numbers_of_eager_mode(self, jit_compile):
        compiled = tf.function(draw, jit_compile=jit_compile)
        position = tf.constant(11, tf.int64)
        for got, want in zip(compiled(5, position), draw(5, 11), strict=True):
            self.assertAllEqual(got, want)

    def test_a_range_under_xla_is_eager_up_to_one_rounding(self):
        # XLA fuses the product and the sum.
        seed = randomness.seed_for(0, randomness.CROP)
        compiled = tf.function(randomness.uniform, jit_compile=True)
        self.assertAllClose(
            compiled([20, 30], seed, -1.0, 2.0),
            randomness.uniform([20, 30], seed, -1.0, 2.0),
            rtol=0,
            atol=2.5e-7,
        )

    def test_a_data_pipeline_draws_the_numbers_of_eager_mode(self):
        data = tf.data.Dataset.range(9, 13).map(lambda i: draw(5, i))
        for position, (seed, numbers) in enumerate(data, start=9):
            want_seed, want_numbers = draw(5, position)
            self.assertAllEqual(seed, want_seed)
            self.assertAllEqual(numbers, want_numbers)

    def test_uniform_fills_its_range_evenly(self):
        seed = randomness.seed_for(0, randomness.CROP)
        x = randomness.uniform([4, 5000], seed, 2.0, 7.0).numpy()
        self.assertEqual(x.dtype, np.float32)
        self.assertBetween(x.min(), 2.0, 2.01)
        self.assertBetween(x.max(), 6.99, 7.0)
        counts, _ = np.histogram(x, bins=10, range=(2.0, 7.0))
        self.assertAllClose(counts, np.full([10], 2000), atol=200)

    @parameterized.parameters([()], [(4,)], [(4, 5)])
    def test_each_sample_draws_a_row(self, row_shape):
        seed = randomness.seed_for(0, randomness.MASK)
        numbers = randomness.uniform_per_sample(3, row_shape, seed)
        self.assertAllEqual(numbers, randomness.uniform([3, *row_shape], seed))

    def test_a_step_has_the_indices_of_its_part_and_replica(self):
        self.assertAllEqual(randomness.indices_of_step(4, 3), [12, 13, 14])
        with randomness.part_of_batch(1, 2):
            self.assertAllEqual(randomness.indices_of_step(4, 3), [27, 28, 29])
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

        @tf.function
        def step():
            with randomness.part_of_batch(1, 2):
                return randomness.indices_of_step(4, 3)

        replicas = strategy.experimental_local_results(strategy.run(step))
        self.assertAllEqual(replicas, [[51, 52, 53], [57, 58, 59]])

    @parameterized.parameters([()], [(4,)])
    def test_each_part_of_a_batch_draws_the_rows_of_its_samples(
        self, row_shape
    ):
        seed = randomness.seed_for(0, randomness.MASK)
        wanted = randomness.uniform_per_sample(6, row_shape, seed)

        @tf.function(jit_compile=True)
        def draw_part(part):
            with randomness.part_of_batch(part, 3):
                return randomness.uniform_per_sample(2, row_shape, seed)

        parts = [draw_part(tf.constant(part)) for part in range(3)]
        self.assertAllEqual(tf.concat(parts, axis=0), wanted)
        # Compiled once: the part is a number that comes with the call.
        self.assertEqual(draw_part.experimental_get_tracing_count(), 1)
        whole = randomness.uniform_per_sample(6, row_shape, seed)
        self.assertAllEqual(whole, wanted)

    @parameterized.parameters([()], [(4,)])
    def test_each_replica_draws_the_rows_of_its_samples(self, row_shape):
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        seed = randomness.seed_for(0, randomness.MASK)

        @tf.function
        def step():
            return strategy.run(
                randomness.uniform_per_sample, args=(3, row_shape, seed)
            )

        replicas = strategy.experimental_local_results(step())
        self.assertLen(replicas, 2)
        self.assertAllEqual(
            tf.concat(replicas, axis=0),
            randomness.uniform_per_sample(6, row_shape, seed),
        )


if __name__ == "__main__":
    tf.test.main()
