"""Tests for tf_simmim.data.sources.arrays and the base class."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.data.sources import arrays

IMAGES = np.arange(5 * 3 * 4 * 2).reshape(5, 3, 4, 2).astype(np.uint8)


class ArraySourceTest(tf.test.TestCase, parameterized.TestCase):
    def test_an_image_and_its_label_are_read(self):
        source = arrays.ArraySource(IMAGES, [2, 0, 1, 0, 2], ["a", "b", "c"])
        self.assertLen(source, 5)
        self.assertEqual(source.channels, 2)
        self.assertEqual(source.class_names, ("a", "b", "c"))
        element = source.read(tf.constant(2, tf.int64))
        self.assertAllEqual(element["image"], IMAGES[2])
        self.assertEqual(element["label"], 1)
        self.assertEqual(element["label"].dtype, tf.int64)

    def test_without_labels_there_are_none(self):
        source = arrays.ArraySource(IMAGES)
        self.assertIsNone(source.class_names)
        self.assertEqual(set(source.read(tf.constant(0))), {"image"})

    def test_mean_and_std_are_as_given_or_the_default(self):
        source = arrays.ArraySource(IMAGES, mean=(0.1, 0.2), std=(0.3, 0.4))
        self.assertEqual(source.mean, (0.1, 0.2))
        self.assertEqual(source.std, (0.3, 0.4))
        self.assertEqual(arrays.ArraySource(IMAGES).mean, (0.449, 0.449))

    def test_an_unshuffled_epoch_is_in_order(self):
        source = arrays.ArraySource(IMAGES, np.arange(5, dtype=np.uint8))
        elements = list(source.epoch(shuffle=False))
        self.assertEqual([int(e["index"]) for e in elements], list(range(5)))
        self.assertAllEqual([e["image"] for e in elements], IMAGES)

    def test_a_shuffled_epoch_has_every_image_once_in_its_own_order(self):
        source = arrays.ArraySource(IMAGES, np.arange(5))
        orders = set()
        for epoch in range(4):
            elements = list(source.epoch(seed=1, epoch=epoch))
            order = [int(element["index"]) for element in elements]
            self.assertCountEqual(order, range(5))
            self.assertAllEqual([e["image"] for e in elements], IMAGES[order])
            self.assertAllEqual([e["label"] for e in elements], order)
            orders.add(tuple(order))
        self.assertGreater(len(orders), 1)

    @parameterized.parameters(
        (IMAGES.astype(np.float32), "`images` must be uint8"),
        (IMAGES[0], "`images` must be uint8"),
        (IMAGES[:0], "at least one image"),
    )
    def test_images_that_are_not_such_an_array_are_refused(self, images, what):
        with self.assertRaisesRegex(ValueError, what):
            arrays.ArraySource(images)

    @parameterized.parameters(
        ([0, 1], None, "one integer for each of the 5 images"),
        ([0.0] * 5, None, "one integer for each"),
        ([0, 1, 2, 3, -1], None, "must lie in 0..3"),
        ([0, 1, 2, 0, 1], ["a", "b"], "must lie in 0..1"),
    )
    def test_labels_that_do_not_fit_are_refused(self, labels, names, what):
        with self.assertRaisesRegex(ValueError, what):
            arrays.ArraySource(IMAGES, labels, names)

    def test_a_random_access_source_has_no_records(self):
        source = arrays.ArraySource(IMAGES)
        with self.assertRaises(NotImplementedError):
            source.records(order_seed=None)
        with self.assertRaises(NotImplementedError):
            source.decode({})


if __name__ == "__main__":
    tf.test.main()
