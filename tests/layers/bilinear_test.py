"""Tests for tf_simmim.layers.bilinear."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import layers

MAPS = np.random.default_rng(0).normal(size=[2, 3, 5, 4]).astype(np.float32)


class EnlargeTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(((6, 10),), ((7, 5),), ((12, 13),))
    def test_numbers_are_those_of_tensorflows_resize(self, size):
        wanted = tf.image.resize(MAPS, size)
        for jit_compile in (False, True):
            run = tf.function(
                lambda maps: layers.enlarge(maps, size),
                jit_compile=jit_compile,
            )
            self.assertAllClose(run(MAPS), wanted, rtol=0, atol=1e-5)

    def test_a_map_of_that_size_stays_as_it_is(self):
        self.assertAllEqual(layers.enlarge(MAPS, (3, 5)), MAPS)

    def test_a_middle_pixel_is_the_mean_of_its_neighbours(self):
        maps = tf.reshape([2.0, 6.0], [1, 1, 2, 1])
        enlarged = layers.enlarge(maps, (1, 3))
        self.assertAllClose(tf.squeeze(enlarged), [2.0, 4.0, 6.0])

    def test_a_smaller_size_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"no smaller .* \(2, 9\)"):
            layers.enlarge(MAPS, (2, 9))


if __name__ == "__main__":
    tf.test.main()
