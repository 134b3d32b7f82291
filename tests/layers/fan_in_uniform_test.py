"""Tests for tf_simmim.layers.fan_in_uniform."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import fan_in_uniform


class FanInUniformTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(([2, 8, 1, 40], 0.25), ([25, 60], 0.2))
    def test_numbers_fill_the_range_of_the_inputs(self, shape, limit):
        x = fan_in_uniform.FanInUniform()(shape)
        self.assertEqual(x.shape, shape)
        self.assertBetween(np.abs(x).max(), 0.97 * limit, limit)
        # That of a uniform distribution.
        self.assertAllClose(np.std(x), limit / 3**0.5, rtol=0.1)
        self.assertNotAllClose(x, fan_in_uniform.FanInUniform()(shape))


if __name__ == "__main__":
    tf.test.main()
