"""Tests for tf_simmim.layers.truncated_normal."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import truncated_normal


class TruncatedNormalTest(tf.test.TestCase, parameterized.TestCase):
    # The standard deviation of a normal cut at +-1 is 0.5396, at +-2 0.8796.
    @parameterized.parameters(
        (0.02, 1.0, 0.5396), (3.0, 1.0, 0.5396), (0.5, 2.0, 0.8796)
    )
    def test_numbers_keep_the_bound_and_the_spread(self, stddev, bound, spread):
        x = truncated_normal.TruncatedNormal(stddev, bound)([200, 500]).numpy()
        self.assertLessEqual(np.abs(x).max(), bound * stddev * (1 + 1e-6))
        self.assertAllClose(x.std() / stddev, spread, atol=0.005)
        self.assertAllClose(x.mean() / stddev, 0.0, atol=0.01)

    def test_numbers_are_cut_and_not_clipped(self):
        x = np.abs(truncated_normal.TruncatedNormal(1.0, 1.0)([100_000]))
        # 0.7 % of the numbers lie in the last hundredth; clipping would put
        # a third of them there.
        self.assertLess(np.mean(x > 0.99), 0.01)
        self.assertGreater(np.mean(x > 0.99), 0.004)

    def test_defaults_are_those_of_the_reference(self):
        x = truncated_normal.TruncatedNormal()([1000])
        self.assertBetween(np.abs(x).max(), 0.0195, 0.0200001)

    def test_follows_the_global_generator(self):
        initializer = truncated_normal.TruncatedNormal()
        tf.random.set_seed(3)
        first, second = initializer([4, 5]), initializer([4, 5])
        tf.random.set_seed(3)
        again = initializer([4, 5])
        self.assertAllEqual(first, again)
        self.assertNotAllClose(first, second)

    def test_makes_the_dtype_that_is_asked_for(self):
        x = truncated_normal.TruncatedNormal()([2, 3], dtype=tf.float64)
        self.assertEqual(x.dtype, tf.float64)
        self.assertEqual(x.shape, [2, 3])

    @parameterized.parameters(
        (0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (1.0, -2.0), (1.0, 6.0)
    )
    def test_arguments_out_of_range_are_refused(self, stddev, bound):
        with self.assertRaisesRegex(
            ValueError, r"`stddev` must be positive and `bound` lie in \(0, 5\]"
        ):
            truncated_normal.TruncatedNormal(stddev, bound)


if __name__ == "__main__":
    tf.test.main()
