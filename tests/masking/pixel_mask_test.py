"""Tests for tf_simmim.masking.pixel_mask."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.masking import pixel_mask


class ToPixelMaskTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(tf.int32, tf.float32, tf.bool)
    def test_each_patch_covers_its_pixels(self, dtype):
        patch_mask = tf.constant([[[1, 0, 0], [0, 1, 1]], [[0] * 3, [1] * 3]])
        pixels = pixel_mask.to_pixel_mask(tf.cast(patch_mask, dtype), 2)
        want = np.zeros([2, 4, 6], np.int32)
        want[0, 0:2, 0:2] = want[0, 2:4, 2:6] = want[1, 2:4] = 1
        self.assertEqual(pixels.dtype, dtype)
        self.assertAllEqual(tf.cast(pixels, tf.int32), want)


if __name__ == "__main__":
    tf.test.main()
