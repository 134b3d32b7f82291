"""Tests for tf_simmim.data.rand_augment and image_operations."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image
from PIL import ImageEnhance
from PIL import ImageOps

from tf_simmim import data
from tf_simmim import randomness
from tf_simmim.data import image_operations

H, W = 40, 56
FILL = (100, 110, 120)
LEVEL = 0.7


def _image(channels=3):
    """Ramps with noise, whose histogram has gaps and a heavy end."""
    rng = np.random.RandomState(0)
    ramp = np.add.outer(4.0 * np.arange(H), 3.0 * np.arange(W))
    image = ramp[..., None] * [0.6, 0.9, 1.2, 0.7, 0.8][:channels]
    image += rng.normal(0, 12, image.shape)
    return np.clip(image, 20, 255).astype(np.uint8)


def _enhanced(image, kind, sign):
    return kind(image).enhance(max(0.1, 1 + 0.9 * LEVEL * sign))


def _moved(image, *matrix):
    return image.transform(
        (W, H),
        Image.Transform.AFFINE,
        matrix,
        resample=Image.Resampling.BILINEAR,
        fillcolor=FILL,
    )


# {operation: function (picture, sign) of the reference, and how far ours may
# be off: Pillow cuts its results off to whole numbers.}
WANTED = {
    "auto_contrast": (lambda p, s: ImageOps.autocontrast(p), 1.01),
    "equalize": (lambda p, s: ImageOps.equalize(p), 0),
    "invert": (lambda p, s: ImageOps.invert(p), 0),
    "posterize": (lambda p, s: ImageOps.posterize(p, 4 - int(4 * LEVEL)), 0),
    "solarize": (
        lambda p, s: ImageOps.solarize(p, 256 - int(256 * LEVEL)),
        0,
    ),
    "solarize_add": (
        lambda p, s: p.point(
            [min(255, v + 77) if v < 128 else v for v in range(256)] * 3
        ),
        0,
    ),
    "color": (lambda p, s: _enhanced(p, ImageEnhance.Color, s), 2),
    "contrast": (lambda p, s: _enhanced(p, ImageEnhance.Contrast, s), 1.01),
    "brightness": (lambda p, s: _enhanced(p, ImageEnhance.Brightness, s), 1.01),
    "sharpness": (lambda p, s: _enhanced(p, ImageEnhance.Sharpness, s), 2),
}
# These by their mean difference: at the border the two differ.
MOVED = {
    "rotate": lambda p, s: p.rotate(
        30 * LEVEL * s, resample=Image.Resampling.BILINEAR, fillcolor=FILL
    ),
    "shear_x": lambda p, s: _moved(p, 1, 0.3 * LEVEL * s, 0, 0, 1, 0),
    "shear_y": lambda p, s: _moved(p, 1, 0, 0, 0.3 * LEVEL * s, 1, 0),
    "translate_x": lambda p, s: _moved(p, 1, 0, -0.45 * LEVEL * s * W, 0, 1, 0),
    "translate_y": lambda p, s: _moved(p, 1, 0, 0, 0, 1, -0.45 * LEVEL * s * H),
}


class ImageOperationsTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operations = image_operations.ImageOperations(FILL)

    def apply(self, name, image, sign=1.0, level=LEVEL):
        image = tf.constant(image, tf.float32)
        return self.operations.apply(
            name, image, tf.constant(level), tf.constant(sign)
        ).numpy()

    def test_all_operations_of_the_reference_are_here(self):
        names = image_operations.names(3)
        self.assertEqual(set(names), WANTED.keys() | MOVED.keys())
        self.assertLen(names, 15)
        for channels in (1, 2, 5):
            without = image_operations.names(channels)
            self.assertEqual(set(names) - set(without), {"color"})

    @parameterized.parameters(*WANTED)
    def test_values_are_pillows(self, name):
        make, tolerance = WANTED[name]
        image = _image()
        for sign in (1.0, -1.0):
            want = np.asarray(make(Image.fromarray(image), sign), np.float32)
            got = self.apply(name, image, sign)
            self.assertAllClose(got, want, rtol=0, atol=tolerance)
            self.assertGreater(np.abs(got - image).mean(), 0.5)

    @parameterized.parameters(*MOVED)
    def test_moved_images_are_pillows_away_from_the_border(self, name):
        image = _image()
        for sign in (1.0, -1.0):
            want = MOVED[name](Image.fromarray(image), sign)
            got = self.apply(name, image, sign)
            other = self.apply(name, image, -sign)
            difference = np.abs(got - np.asarray(want, np.float32)).mean()
            self.assertLess(difference, 3)
            self.assertGreater(np.abs(other - np.asarray(want)).mean(), 12)

    @parameterized.product(channels=[1, 2, 3, 5], level=[0.0, 1.0])
    def test_any_channels_and_level_stay_in_range(self, channels, level):
        operations = image_operations.ImageOperations([90.0] * channels)
        image = tf.constant(_image(channels), tf.float32)
        for name in image_operations.names(channels):
            for sign in (1.0, -1.0):
                got = operations.apply(
                    name, image, tf.constant(level), tf.constant(sign)
                ).numpy()
                self.assertEqual(got.shape, (H, W, channels))
                self.assertTrue(np.isfinite(got).all(), name)
                self.assertBetween(got.min(), 0, got.max())
                self.assertLessEqual(got.max(), 255)

    @parameterized.parameters("auto_contrast", "equalize")
    def test_an_image_of_one_colour_is_left_alone(self, name):
        image = np.full([6, 9, 3], 77, np.uint8)
        self.assertAllEqual(self.apply(name, image), image)


class RandAugmentTest(tf.test.TestCase, parameterized.TestCase):
    @pytest.mark.slow
    def test_operations_and_levels_are_drawn_as_they_should(self):
        """Recorded while two operations a time are applied to 150 images."""
        augment = data.RandAugment(data.Normalization(), magnitude=9)
        drawn = []

        class Recorder:
            def apply(self, name, image, level, sign):
                drawn.append((name, float(level), float(sign)))
                return image

        augment._operations = Recorder()
        image = tf.zeros([4, 6, 3])
        for k in range(150):
            seed = randomness.seed_for(1, randomness.AUGMENTATION, k)
            self.assertAllEqual(augment(image, seed), image)
        names, levels, signs = zip(*drawn, strict=True)
        self.assertBetween(len(drawn), 115, 185)  # 150, 4 deviations
        counts = [names.count(name) for name in image_operations.names(3)]
        self.assertBetween(min(counts), 2, 10)  # 10 each, 3.1 a deviation
        self.assertBetween(max(counts), 10, 23)
        self.assertAllClose(np.mean(levels), 0.9, atol=0.02)
        self.assertAllClose(np.std(levels), 0.05, atol=0.01)
        self.assertLessEqual(max(levels), 1.0)
        self.assertBetween(signs.count(1.0), 50, 100)

    def test_a_mixed_precision_policy_changes_nothing(self):
        image = tf.constant(_image(), tf.float32)
        seeds = [
            randomness.seed_for(0, randomness.AUGMENTATION, k) for k in (1, 2)
        ]
        want = [data.RandAugment(data.Normalization())(image, s) for s in seeds]
        tf.keras.mixed_precision.set_global_policy("mixed_float16")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        augment = data.RandAugment(data.Normalization())
        for seed, wanted in zip(seeds, want, strict=True):
            self.assertAllEqual(augment(image, seed), wanted)

    def test_without_operations_the_image_is_left_alone(self):
        augment = data.RandAugment(data.Normalization(), num_operations=0)
        image = tf.constant(_image(), tf.float32)
        self.assertAllEqual(
            augment(image, tf.constant([1, 2], tf.int64)), image
        )

    @parameterized.parameters(
        ({"magnitude": 11}, "`magnitude` must be"),
        ({"magnitude_stddev": -1}, "`magnitude_stddev` must be"),
        ({"num_operations": -1}, "`num_operations` must be"),
    )
    def test_impossible_arguments_are_refused(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            data.RandAugment(data.Normalization(), **arguments)


if __name__ == "__main__":
    tf.test.main()
