"""Tests for tf_simmim.data.sources.digit_scenes."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.data import sources
from tf_simmim.data.sources import digit_scenes
from tf_simmim.data.sources import digits
from tf_simmim.data.sources import photos
from tf_simmim.data.sources import scene_digits

NUM = 12


def read(source, index):
    return {
        key: value.numpy()
        for key, value in source.read(tf.constant(index, tf.int64)).items()
    }


class DigitScenesSourceTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.train = digit_scenes.DigitScenesSource()
        cls.test = digit_scenes.DigitScenesSource("test")
        cls.scenes = [read(cls.train, index) for index in range(NUM)]

    def test_a_scene_is_the_same_eagerly_and_in_a_pipeline(self):
        for index, element in enumerate(
            self.train.epoch(shuffle=False).take(3).as_numpy_iterator()
        ):
            self.assertEqual(element.pop("index"), index)
            self.assertEqual(element.keys(), self.scenes[index].keys())
            for key, value in element.items():
                self.assertAllEqual(value, self.scenes[index][key], msg=key)

    def test_scenes_have_the_promised_shapes_and_types(self):
        spec = self.train.epoch().element_spec
        shapes = {
            "image": ([128, 128, 3], tf.uint8),
            "segmentation": ([128, 128, 1], tf.uint8),
            "boxes": ([4, 4], tf.float32),
            "box_classes": ([4], tf.int64),
            "num_boxes": ([], tf.int64),
            "index": ([], tf.int64),
        }
        self.assertEqual(
            spec, {k: tf.TensorSpec(*each) for k, each in shapes.items()}
        )
        self.assertLen(self.train, 4096)
        self.assertLen(self.test, 512)
        names = self.train.segmentation_class_names
        self.assertLen(names, 11)
        self.assertEqual((names[0], names[10]), ("background", "digit 9"))

    def test_masks_and_boxes_speak_of_the_same_digits(self):
        for scene in self.scenes:
            count = scene["num_boxes"]
            self.assertBetween(count, 1, 4)
            self.assertAllEqual(
                scene["boxes"][count:], -np.ones([4 - count, 4])
            )
            self.assertAllEqual(
                scene["box_classes"][count:], [-1] * (4 - count)
            )
            classes = scene["box_classes"][:count]
            truth = scene["segmentation"][..., 0]
            self.assertEqual(
                set(np.unique(truth)) - {0}, {c + 1 for c in classes}
            )
            inside = np.zeros_like(truth, bool)
            for box, digit in zip(scene["boxes"], classes, strict=False):
                top, left, bottom, right = box.astype(int)
                part = truth[top:bottom, left:right] == digit + 1
                inside[top:bottom, left:right] |= part
                # What covers it hides no more than a tenth of its box.
                self.assertGreater(part.mean(), 0.1)
            self.assertAllEqual(inside, truth > 0)

    def test_a_box_is_the_smallest_around_its_digit(self):
        alone = [s for s in self.scenes if s["num_boxes"] == 1]
        self.assertNotEmpty(alone)
        for scene in alone:
            rows, columns, _ = np.nonzero(scene["segmentation"])
            wanted = [
                *(rows.min(), columns.min()),
                *(rows.max() + 1, columns.max() + 1),
            ]
            self.assertAllEqual(scene["boxes"][0], wanted)

    def test_boxes_share_no_more_than_a_tenth_of_the_smaller(self):
        for scene in self.scenes:
            boxes = scene["boxes"][: scene["num_boxes"]]
            for i, a in enumerate(boxes):
                for b in boxes[:i]:
                    sides = np.minimum(a, b)[2:] - np.maximum(a, b)[:2]
                    areas = [np.prod(x[2:] - x[:2]) for x in (a, b)]
                    shared = np.prod(np.maximum(sides, 0))
                    self.assertLessEqual(shared, min(areas) / 10)

    def test_digits_stand_out_from_the_photograph(self):
        gaps = []
        for scene in self.scenes:
            for c in np.unique(scene["segmentation"])[1:]:
                ink = scene["segmentation"][..., 0] == c
                grown = (
                    np.array(
                        tf.nn.max_pool2d(
                            ink[np.newaxis, ..., np.newaxis].astype(np.float32),
                            9,
                            1,
                            "SAME",
                        )
                    )[0, ..., 0]
                    > 0
                )
                around = grown & (scene["segmentation"][..., 0] == 0)
                grey = scene["image"].mean(axis=-1)
                gaps.append(grey[ink].mean() - grey[around].mean())
        # Light digits and dark ones.
        self.assertGreater(np.max(gaps), 40)
        self.assertLess(np.min(gaps), -40)
        self.assertGreater(np.mean(np.abs(gaps) > 20), 0.9)

    def test_a_scene_depends_on_seed_and_place_alone(self):
        again = digit_scenes.DigitScenesSource()
        self.assertAllEqual(read(again, 3)["image"], self.scenes[3]["image"])
        other = digit_scenes.DigitScenesSource(seed=1)
        for scene in (read(other, 3), self.scenes[4], read(self.test, 3)):
            self.assertNotAllEqual(scene["image"], self.scenes[3]["image"])

    def test_all_is_the_train_scenes_and_then_the_test_scenes(self):
        both = digit_scenes.DigitScenesSource("all")
        self.assertLen(both, 4608)
        self.assertAllEqual(read(both, 5)["image"], self.scenes[5]["image"])
        wanted = read(self.test, 2)
        for key, value in read(both, 4098).items():
            self.assertAllEqual(value, wanted[key])

    def test_the_splits_share_neither_scans_nor_parts_of_photographs(self):
        (train,), (test,) = self.train._parts, self.test._parts
        self.assertEqual((len(train.scans), len(test.scans)), (1437, 360))
        scans, labels = digits.scans("test")
        self.assertAllClose(test.scans, scans)
        self.assertAllEqual(test.labels, labels)
        columns = [
            {
                (photograph, column)
                for photograph, start, width in part.regions.numpy()
                for column in range(start, start + width)
            }
            for part in (train, test)
        ]
        self.assertEmpty(columns[0] & columns[1])
        self.assertLen(columns[0] | columns[1], 2 * 640)

    def test_a_background_is_a_crop_of_its_part_alone(self):
        # A photograph whose pixels say in which column they are.
        shape = photos.sklearn_photographs().shape
        columns = np.arange(shape[2]) * 255.0 / shape[2]
        source = digit_scenes.DigitScenesSource("test")
        source._photographs = tf.constant(
            np.broadcast_to(columns[:, np.newaxis], shape).astype(np.uint8)
        )
        for number in range(6):
            seed = tf.constant([number, 1], tf.int64)
            background = source._background(source._parts[0], seed)
            self.assertAllInRange(background, 255 * 0.5 - 1, 255 * 0.75 + 1)

    def test_an_enlarged_scan_is_the_scan(self):
        scans = tf.constant(digits.scans("test")[0][:1], tf.float32)
        ink, which = scene_digits.draw(scans, tf.constant([2, 3], tf.int64))
        self.assertAllEqual(which, [0] * 8)
        boxes = scene_digits.boxes(ink > 0.5).numpy()
        for each, (top, left, bottom, right) in zip(
            ink.numpy(), boxes, strict=True
        ):
            # Shrunk to the scan's ink, each drawing is that ink.
            rows, columns = np.nonzero(scans[0] > 0.5)
            scan = scans[
                0,
                rows.min() : rows.max() + 1,
                columns.min() : columns.max() + 1,
            ]
            small = tf.image.resize(
                each[top:bottom, left:right, np.newaxis],
                scan.shape,
                antialias=True,
            )
            match = np.corrcoef(np.ravel(small), np.ravel(scan))[0, 1]
            self.assertGreater(match, 0.85)

    def test_it_opens_by_its_name_in_grey_too(self):
        grey = sources.open_source("builtin:digit_scenes", channels=1)
        scene = read(grey, 0)
        wanted = self.scenes[0]["image"] @ [0.299, 0.587, 0.114]
        self.assertAllClose(scene["image"][..., 0], wanted, atol=1.01)
        self.assertAllEqual(
            scene["segmentation"], self.scenes[0]["segmentation"]
        )

    @parameterized.parameters(
        ({"split": "val"}, '`split` must be "train"'),
        ({"channels": 2}, "`channels` must be 1"),
    )
    def test_impossible_arguments_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            digit_scenes.DigitScenesSource(**options)


if __name__ == "__main__":
    tf.test.main()
