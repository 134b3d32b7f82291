"""Tests for tf_simmim.optimization.warmup."""

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.optimization import warmup


class WithWarmupTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (0, 0.2), (1, 0.4), (3, 0.8), (4, 7.0), (5, 7.0), (400, 7.0)
    )
    def test_rises_in_a_line_and_then_follows_the_rate(self, step, want):
        rate = warmup.with_warmup(
            step=tf.constant(float(step)),
            rate=tf.constant(7.0),
            peak=1.0,
            warmup_steps=4,
            warmup_learning_rate=0.2,
        )
        self.assertAllClose(rate, want)

    def test_no_warmup_leaves_the_rate_alone(self):
        rate = warmup.with_warmup(
            tf.constant(0.0), tf.constant(7.0), 1.0, 0, 0.2
        )
        self.assertEqual(rate, 7.0)

    def test_may_fall_to_a_peak_below_the_first_rate(self):
        rate = warmup.with_warmup(
            tf.constant(1.0), tf.constant(7.0), 1.0, 4, 3.0
        )
        self.assertEqual(rate, 2.5)


if __name__ == "__main__":
    tf.test.main()
