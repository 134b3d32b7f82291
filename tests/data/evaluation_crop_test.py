"""Tests for tf_simmim.data.evaluation_crop."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tf_simmim import data


def _image(height, width, channels=3):
    rng = np.random.RandomState(0)
    image = rng.randint(0, 256, (height, width, channels))
    # Smoothed, so that a shift of half a pixel does not decide.
    image = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1)) / 3
    return image.astype(np.uint8)


class EvaluationCropTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((50, 75), (75, 50), (64, 64), (33, 31))
    def test_it_is_torchvisions_resize_and_centre_crop(self, height, width):
        """The shorter side to int(28 / 0.875) = 32, then the central 28."""
        image = _image(height, width)
        shorter = min(height, width)
        size = (32 * height // shorter, 32 * width // shorter)
        resized = Image.fromarray(image).resize(
            size[::-1], Image.Resampling.BICUBIC
        )
        top, left = (int(round((side - 28) / 2)) for side in size)
        want = np.asarray(resized)[top : top + 28, left : left + 28]
        got = data.EvaluationCrop(28)(image)
        # Pillow rounds after each of its two passes.
        self.assertAllClose(got, want.astype(np.float32), rtol=0, atol=2)

    def test_an_oblong_crop_keeps_the_shape_of_things(self):
        """(24, 40) / 0.8 = (30, 50): of 60 x 200, the height decides."""
        image = np.zeros([60, 200, 2], np.uint8)
        image[:, 100:] = 200
        got = data.EvaluationCrop((24, 40), crop_fraction=0.8)(image).numpy()
        self.assertEqual(got.shape, (24, 40, 2))
        self.assertAllEqual(got[:, :18], np.zeros([24, 18, 2]))
        self.assertAllEqual(got[:, 22:], np.full([24, 18, 2], 200.0))

    def test_all_of_an_image_of_the_right_size_is_kept(self):
        image = _image(12, 20, 1)
        got = data.EvaluationCrop((12, 20), crop_fraction=1)(image)
        self.assertAllEqual(got, image)

    def test_unknown_sizes_give_a_known_one_in_a_graph(self):
        crop = data.EvaluationCrop((4, 6))
        graph = tf.function(crop).get_concrete_function(
            tf.TensorSpec([None, None, 3], tf.uint8)
        )
        self.assertEqual(graph.output_shapes, [4, 6, 3])
        for height, width in ((1, 1), (1, 30), (30, 1), (5, 7)):
            image = _image(height, width)
            self.assertAllEqual(graph(tf.constant(image)), crop(image))

    @parameterized.parameters(0, 1.1, -1)
    def test_an_impossible_fraction_is_refused(self, fraction):
        with self.assertRaisesRegex(ValueError, "`crop_fraction` must be"):
            data.EvaluationCrop(8, crop_fraction=fraction)


if __name__ == "__main__":
    tf.test.main()
