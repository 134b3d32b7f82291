"""Tests for tf_simmim.data.centre_crop."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.data import centre_crop


def _image(height, width):
    return np.arange(height * width * 2, dtype=np.uint8).reshape(
        height, width, 2
    )


class ResizeAndCentreCropTest(tf.test.TestCase, parameterized.TestCase):
    def test_an_image_of_the_right_size_is_left_alone(self):
        image = _image(6, 9)
        got = centre_crop.ResizeAndCentreCrop((6, 9))(image)
        self.assertAllClose(got, image, atol=1e-4)
        self.assertEqual(got.dtype, tf.float32)

    @parameterized.parameters(
        # Image, result -> rows and columns of the box.
        ((6, 20), (3, 5), slice(0, 6), slice(5, 15)),
        ((20, 6), (5, 3), slice(5, 15), slice(0, 6)),
        ((8, 8), (4, 8), slice(2, 6), slice(0, 8)),
        ((2, 3), (4, 4), slice(0, 2), slice(0, 2)),
    )
    def test_the_largest_centred_box_is_resized(self, size, result, rows, cols):
        image = _image(*size)
        want = tf.image.resize(image[rows, cols], result, antialias=True)
        got = centre_crop.ResizeAndCentreCrop(result)(image)
        self.assertAllEqual(got, want)

    def test_the_seed_changes_nothing_and_the_graph_agrees(self):
        crop = centre_crop.ResizeAndCentreCrop((5, 3))
        image = _image(7, 11)
        graph = tf.function(crop)
        one = crop(image, tf.constant([1, 2], tf.int64))
        self.assertAllEqual(one, crop(image, tf.constant([3, 4], tf.int64)))
        self.assertAllEqual(one, graph(tf.constant(image)))

    @parameterized.parameters((1, 500), (500, 1), (1, 1))
    def test_a_sliver_of_an_image_still_gives_a_result(self, height, width):
        got = centre_crop.ResizeAndCentreCrop((4, 6))(_image(height, width))
        self.assertEqual(got.shape, [4, 6, 2])
        self.assertTrue(np.isfinite(got).all())


if __name__ == "__main__":
    tf.test.main()
