"""Tests for the sources that come with the package's dependencies."""

import functools
import sys
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.data.sources import digits
from tf_simmim.data.sources import photos


@functools.cache
def _scikit_learn():
    # Not while tests are collected: it takes half a second.
    from sklearn import datasets

    return datasets.load_digits()


def _images(source):
    return np.stack(
        [element["image"] for element in source.epoch(shuffle=False)]
    )


def _labels(source):
    return [int(element["label"]) for element in source.epoch(shuffle=False)]


class DigitsSourceTest(tf.test.TestCase, parameterized.TestCase):
    def test_the_last_fifth_is_held_out_and_has_every_digit(self):
        train, test = digits.DigitsSource(), digits.DigitsSource("test")
        target = _scikit_learn().target
        self.assertLen(train, 1437)
        self.assertLen(test, 360)
        self.assertAllEqual(_labels(train), target[:1437])
        self.assertAllEqual(_labels(test), target[1437:])
        counts = np.bincount(_labels(test))
        self.assertBetween(counts.min(), 33, 37)
        self.assertBetween(counts.max(), 33, 37)
        self.assertEqual(train.class_names, tuple("0123456789"))

    def test_all_is_the_train_split_and_then_the_test_split(self):
        source = digits.DigitsSource("all")
        train, test = digits.DigitsSource(), digits.DigitsSource("test")
        self.assertLen(source, 1797)
        self.assertAllEqual(_labels(source), _scikit_learn().target)
        self.assertAllEqual(
            _images(source), np.concatenate([_images(train), _images(test)])
        )
        self.assertEqual(source.mean, train.mean)

    def test_an_enlarged_digit_still_looks_like_its_scan(self):
        images = _images(digits.DigitsSource("test"))
        self.assertEqual(images.shape, (360, 32, 32, 1))
        self.assertEqual(images.dtype, np.uint8)
        blocks = images.reshape(360, 8, 4, 8, 4).mean(axis=(2, 4))
        scans = _scikit_learn().images[1437:] * 255 / 16
        self.assertLess(np.abs(blocks - scans).mean(), 12)
        self.assertGreater(np.corrcoef(blocks.flat, scans.flat)[0, 1], 0.98)

    def test_mean_and_std_are_those_of_the_train_split(self):
        source = digits.DigitsSource()
        pixels = _images(source) / 255
        self.assertAllClose(source.mean, [pixels.mean()], atol=1e-5, rtol=0)
        self.assertAllClose(source.std, [pixels.std()], atol=1e-5, rtol=0)

    def test_three_channels_repeat_the_grey(self):
        grey, colour = digits.DigitsSource(), digits.DigitsSource(channels=3)
        index = tf.constant(7, tf.int64)
        want = np.repeat(grey.read(index)["image"], 3, axis=-1)
        self.assertAllEqual(colour.read(index)["image"], want)
        self.assertEqual(colour.mean, grey.mean * 3)
        self.assertEqual(colour.channels, 3)

    def test_an_unknown_split_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`split`"):
            digits.DigitsSource("val")

    def test_two_channels_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`channels`"):
            digits.DigitsSource(channels=2)


class PhotosSourceTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(("train", 448), ("test", 112), ("all", 560))
    def test_crops_are_square_and_labelled_by_photograph(self, split, num):
        source = photos.PhotosSource(split)
        self.assertEqual(_images(source).shape, (num, 96, 96, 3))
        self.assertAllEqual(_labels(source), np.arange(num) % 7)
        self.assertLen(source.class_names, 7)
        self.assertIn("chelsea", source.class_names)

    def test_crops_are_the_same_every_time(self):
        first, again = photos.PhotosSource("test"), photos.PhotosSource("test")
        self.assertAllEqual(_images(first), _images(again))

    def test_all_is_the_train_crops_and_then_the_test_crops(self):
        parts = [_images(photos.PhotosSource(s)) for s in ("train", "test")]
        source = photos.PhotosSource("all")
        self.assertAllEqual(_images(source), np.concatenate(parts))

    def test_no_pixel_is_in_both_splits(self):
        # A photograph whose pixels say in which column they are.
        columns = np.broadcast_to(np.arange(400) // 2, (150, 400))
        photograph = np.repeat(columns[..., np.newaxis], 3, -1).astype(np.uint8)
        opened = mock.MagicMock()
        opened.__enter__.return_value.convert.return_value = photograph
        with mock.patch.object(photos.Image, "open", return_value=opened):
            train = np.unique(_images(photos.PhotosSource("train")))
            test = np.unique(_images(photos.PhotosSource("test")))
        self.assertEmpty(np.intersect1d(train, test))
        self.assertLess(train.min(), 5)
        self.assertGreater(train.max(), 195)

    def test_one_channel_makes_them_grey(self):
        source = photos.PhotosSource("test", channels=1)
        colour = _images(photos.PhotosSource("test")).astype(np.float64)
        want = colour @ [0.299, 0.587, 0.114]
        self.assertAllClose(_images(source)[..., 0], want, atol=1.01)
        self.assertEqual(source.mean, (0.449,))

    def test_without_scikit_image_the_error_says_what_to_install(self):
        with mock.patch.dict(sys.modules, {"skimage": None}):
            with self.assertRaisesRegex(
                ValueError, "`pip install scikit-image`"
            ):
                photos.PhotosSource()


if __name__ == "__main__":
    tf.test.main()
