"""Tests for tf_simmim.layers.drop_path."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import randomness
from tf_simmim.layers import drop_path

B, M, D = 16, 2, 3


def seed(position=0):
    return randomness.seed_for(7, randomness.DROP_PATH, position)


class DropPathTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        x = np.arange(1, B * M * D + 1, dtype=np.float32).reshape(B, M, D)
        self.x = tf.constant(x)

    @parameterized.parameters(False, None)
    def test_outside_training_nothing_changes(self, training):
        layer = drop_path.DropPath(0.5)
        self.assertAllEqual(layer(self.x, training=training), self.x)
        y = layer(self.x, seed=seed(), training=training)
        self.assertAllEqual(y, self.x)

    def test_rate_zero_needs_no_seed_in_training(self):
        layer = drop_path.DropPath(0.0)
        self.assertAllEqual(layer(self.x, training=True), self.x)

    def test_whole_samples_are_dropped_and_the_others_scaled_up(self):
        rate = 0.75
        y = drop_path.DropPath(rate)(self.x, seed=seed(), training=True)
        kept = np.any(y.numpy() != 0, axis=(1, 2))  # [B]
        want = np.where(kept[:, None, None], self.x / (1 - rate), 0.0)
        self.assertAllClose(y, want)
        self.assertBetween(kept.sum(), 1, B - 1)  # both kinds occur

    def test_a_sample_is_dropped_where_its_number_is_below_the_rate(self):
        rate = 0.4
        y = drop_path.DropPath(rate)(self.x, seed=seed(), training=True)
        numbers = randomness.uniform_per_sample(B, (), seed())
        self.assertAllEqual(y[:, 0, 0] != 0, numbers >= rate)

    @parameterized.parameters(0.1, 0.5, 0.9)
    def test_the_rate_is_the_frequency_and_the_mean_is_kept(self, rate):
        samples = 8000
        y = drop_path.DropPath(rate)(
            tf.ones([samples, 1]), seed=seed(), training=True
        )
        # Four standard deviations of a binomial.
        margin = 4 * np.sqrt(rate * (1 - rate) / samples)
        dropped = np.mean(y.numpy() == 0)
        self.assertAllClose(dropped, rate, atol=margin)
        self.assertAllClose(np.mean(y), 1.0, atol=margin / (1 - rate))

    def test_the_seed_decides_what_is_dropped(self):
        layer = drop_path.DropPath(0.5)
        first = layer(self.x, seed=seed(), training=True)
        again = layer(self.x, seed=seed(), training=True)
        other = layer(self.x, seed=seed(1), training=True)
        self.assertAllEqual(first, again)
        self.assertNotAllEqual(first, other)

    def test_gradient_passes_kept_samples_only(self):
        layer = drop_path.DropPath(0.5)
        with tf.GradientTape() as tape:
            tape.watch(self.x)
            y = layer(self.x, seed=seed(), training=True)
        grad = tape.gradient(y, self.x)
        kept = (y.numpy() != 0).astype(np.float32)
        self.assertAllEqual(grad, 2.0 * kept)

    def test_inputs_of_any_rank_are_dropped_by_sample(self):
        layer = drop_path.DropPath(0.5)
        x = tf.reshape(self.x, [B, M, D, 1])
        y = layer(x, seed=seed(), training=True)
        want = layer(self.x, seed=seed(), training=True)
        self.assertAllEqual(y[..., 0], want)

    def test_without_a_seed_every_call_drops_other_samples(self):
        layer = drop_path.DropPath(0.5)
        tf.random.set_seed(3)
        first = layer(self.x, training=True)
        second = layer(self.x, training=True)
        self.assertNotAllEqual(first, second)
        kept = first[:, :1, :1] != 0
        self.assertAllEqual(first, np.where(kept, 2 * self.x, 0.0))

        tf.random.set_seed(3)
        self.assertAllEqual(first, layer(self.x, training=True))


if __name__ == "__main__":
    tf.test.main()
