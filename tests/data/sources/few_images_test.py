"""Tests for tf_simmim.data.sources.few_images; more in few_labels_test.py."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import data

NUM = 20


def _source(kind="arrays"):
    images = np.zeros([NUM, 4, 6, 1], np.uint8)
    images += np.arange(NUM, dtype=np.uint8)[:, None, None, None]
    if kind == "arrays":
        return data.ArraySource(images, mean=[0.3], std=[0.2])
    return data.DatasetSource(tf.data.Dataset.from_tensor_slices(images))


class FewImagesTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters("arrays", "dataset")
    def test_as_many_different_images_as_asked_for_in_order(self, kind):
        few = data.FewImages(_source(kind), 7, seed=1)
        elements = list(few.epoch(shuffle=False))
        self.assertLen(few, 7)
        self.assertAllEqual([e["index"] for e in elements], range(7))
        places = [int(e["image"][0, 0, 0]) for e in elements]
        self.assertAllEqual(places, few.indices)
        self.assertLen(set(places), 7)
        self.assertEqual(places, sorted(places))

    def test_the_seed_decides_and_fewer_are_among_more(self):
        chosen = {
            (seed, num): set(data.FewImages(_source(), num, seed).indices)
            for seed in (0, 1)
            for num in (5, 12, NUM)
        }
        self.assertNotEqual(chosen[0, 12], chosen[1, 12])
        for seed in (0, 1):
            self.assertLess(chosen[seed, 5], chosen[seed, 12])
            self.assertEqual(chosen[seed, NUM], set(range(NUM)))

    def test_they_keep_their_boxes_and_masks(self):
        scenes = data.DigitScenesSource()
        few = data.FewImages(scenes, 3, seed=2)
        self.assertEqual(few.box_class_names, scenes.box_class_names)
        self.assertEqual(
            few.segmentation_class_names, scenes.segmentation_class_names
        )
        self.assertIn("(3 images)", few.name)
        want = scenes.read(tf.constant(few.indices[1]))
        got = few.read(tf.constant(1, tf.int64))
        self.assertEqual(got.keys(), want.keys())
        for key, value in want.items():
            self.assertAllEqual(got[key], value)
        others = data.FewImages(scenes, 3, seed=3)
        self.assertNotEqual(few.digest(), others.digest())

    @parameterized.parameters(0, -1, NUM + 1)
    def test_an_impossible_number_is_refused(self, num_images):
        with self.assertRaisesRegex(
            ValueError, rf"must be in 1..{NUM}.* Received: {num_images}"
        ):
            data.FewImages(_source(), num_images)


if __name__ == "__main__":
    tf.test.main()
