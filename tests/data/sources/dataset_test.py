"""Tests for tf_simmim.data.sources.dataset."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.data.sources import dataset

IMAGES = np.arange(7 * 3 * 4 * 2).reshape(7, 3, 4, 2).astype(np.uint8)
LABELS = np.arange(7, dtype=np.int32) * 10


def _slices(elements=IMAGES):
    return tf.data.Dataset.from_tensor_slices(elements)


def _unequal_images():
    for number in range(7):
        yield np.full([3 + number, 5, 2], number, np.uint8)


class DatasetSourceTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (IMAGES, False),
        ((IMAGES, LABELS), True),
        ({"image": IMAGES}, False),
        ({"image": IMAGES, "label": LABELS, "name": LABELS}, True),
    )
    def test_images_pairs_and_dicts_are_understood(self, elements, labelled):
        source = dataset.DatasetSource(_slices(elements))
        self.assertLen(source, 7)
        self.assertEqual(source.channels, 2)
        order = []
        for element in source.epoch(seed=3, epoch=2):
            index = int(element["index"])
            order.append(index)
            self.assertAllEqual(element["image"], IMAGES[index])
            self.assertEqual("label" in element, labelled)
            if labelled:
                self.assertEqual(element["label"], LABELS[index])
        self.assertCountEqual(order, range(7))

    def test_images_of_unequal_sizes_are_shuffled_too(self):
        images = tf.data.Dataset.from_generator(
            _unequal_images,
            output_signature=tf.TensorSpec([None, 5, 2], tf.uint8),
        )
        source = dataset.DatasetSource(images, num_images=7)
        for element in source.epoch():
            index = int(element["index"])
            self.assertEqual(element["image"].shape, [3 + index, 5, 2])
            self.assertAllEqual(
                tf.unique(element["image"][..., 0][0])[0], [index]
            )
        spec = source.epoch().element_spec["image"]
        self.assertEqual(spec.shape.as_list(), [None, 5, 2])

    def test_every_epoch_has_its_own_order_and_keeps_it(self):
        source = dataset.DatasetSource(_slices())

        def order(epoch, shuffle=True):
            elements = source.epoch(seed=1, epoch=epoch, shuffle=shuffle)
            return [int(element["index"]) for element in elements]

        self.assertEqual(order(0), order(0))
        self.assertLen({tuple(order(epoch)) for epoch in range(5)}, 5)
        self.assertEqual(order(0, shuffle=False), list(range(7)))

    @parameterized.parameters(
        (_slices(IMAGES.astype(np.float32)),),
        (_slices(IMAGES).batch(2),),
        (_slices({"picture": IMAGES}),),
        (_slices(LABELS),),
    )
    def test_elements_that_are_no_images_are_refused(self, elements):
        with self.assertRaisesRegex(ValueError, "must yield single images"):
            dataset.DatasetSource(elements)

    @parameterized.parameters(
        (_slices(), 6, "a data set of 7 images"),
        (_slices().repeat(), None, "of infinitely many images"),
        (_slices().repeat(), 7, "of infinitely many images"),
        (_slices().filter(lambda _: True), None, "of an unknown number of"),
    )
    def test_a_number_of_images_that_cannot_be_is_refused(
        self, elements, num_images, what
    ):
        with self.assertRaisesRegex(ValueError, f"`num_images` must.*{what}"):
            dataset.DatasetSource(elements, num_images)

    @parameterized.parameters(6, 8)
    def test_a_wrong_promise_ends_the_epoch_with_an_error(self, num_images):
        elements = _slices().filter(lambda _: True)
        source = dataset.DatasetSource(elements, num_images)
        with self.assertRaisesRegex(
            tf.errors.FailedPreconditionError, f"to contain {num_images} elem"
        ):
            list(source.epoch())

    def test_a_streaming_source_has_no_read(self):
        source = dataset.DatasetSource(_slices())
        with self.assertRaises(NotImplementedError):
            source.read(tf.constant(0))


if __name__ == "__main__":
    tf.test.main()
