"""Tests for tf_simmim.data.normalization."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.data import normalization


class NormalizationTest(tf.test.TestCase, parameterized.TestCase):
    def test_pixels_become_the_hand_worked_values(self):
        norm = normalization.Normalization(mean=(0.5, 0.2), std=(0.25, 0.1))
        image = np.array([[[0, 255], [51, 51]]], np.uint8)  # [1, 2, 2]
        want = [[[-2.0, 8.0], [-1.2, 0.0]]]
        self.assertAllClose(norm.normalize(image), want, atol=1e-6)
        self.assertEqual(norm.normalize(image).dtype, tf.float32)

    @parameterized.parameters(tf.uint8, tf.float32)
    def test_every_pixel_value_survives_the_round_trip(self, dtype):
        norm = normalization.Normalization()
        image = tf.cast(tf.reshape(tf.range(768), [2, 128, 3]) % 256, dtype)
        again = norm.denormalize(norm.normalize(image))
        self.assertEqual(again.dtype, tf.uint8)
        self.assertAllEqual(again, tf.cast(image, tf.uint8))

    def test_denormalize_rounds_and_clips(self):
        norm = normalization.Normalization(mean=(0.0,), std=(1.0,))
        image = tf.constant([[-3.0], [100.6 / 255], [100.4 / 255], [1.5]])
        self.assertAllEqual(norm.denormalize(image), [[0], [101], [100], [255]])

    def test_graph_and_eager_agree(self):
        norm = normalization.Normalization((0.1,), (0.3,))
        image = tf.reshape(tf.range(24, dtype=tf.float32), [2, 3, 4, 1])
        self.assertAllEqual(
            tf.function(norm.normalize)(image), norm.normalize(image)
        )

    def test_config_round_trip_keeps_non_default_numbers(self):
        norm = normalization.Normalization([0.1, 0.2], [0.3, 0.4])
        copy = normalization.Normalization(**norm.get_config())
        self.assertEqual(copy.mean, (0.1, 0.2))
        self.assertEqual(copy.std, (0.3, 0.4))

    def test_default_statistics_are_imagenets_or_their_average(self):
        mean, std = normalization.default_statistics(3)
        self.assertEqual(mean, (0.485, 0.456, 0.406))
        self.assertEqual(std, (0.229, 0.224, 0.225))
        mean, std = normalization.default_statistics(2)
        self.assertEqual((mean, std), ((0.449, 0.449), (0.226, 0.226)))

    @parameterized.parameters(((0.5,), (0.5, 0.5)), ((), ()))
    def test_a_mean_without_its_std_is_refused(self, mean, std):
        with self.assertRaisesRegex(ValueError, "one number for each channel"):
            normalization.Normalization(mean, std)

    @parameterized.parameters(0.0, -0.1)
    def test_a_std_that_is_not_positive_is_refused(self, std):
        with self.assertRaisesRegex(ValueError, "`std` must be positive"):
            normalization.Normalization((0.5,), (std,))

    @parameterized.parameters("normalize", "denormalize")
    def test_an_image_of_other_channels_is_refused(self, method):
        norm = normalization.Normalization((0.5,), (0.5,))
        with self.assertRaisesRegex(ValueError, "must have 1 channels"):
            getattr(norm, method)(tf.zeros([2, 4, 5, 3]))


if __name__ == "__main__":
    tf.test.main()
