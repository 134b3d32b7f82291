"""Tests for boxes on their way: tf_simmim.data.box_moves, and the stream."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import data
from tf_simmim import randomness
from tf_simmim.data import box_moves

NONE = [-1.0, -1, -1, -1]
BOXES = tf.constant(
    [
        [10, 20, 30, 60],  # 20 x 40 px
        NONE,
        [0, 0, 8, 8],
        [30, 50, 50, 90],
    ],
    tf.float32,
)


def seed(number):
    return randomness.seed_for(0, randomness.AUGMENTATION, number)


class BoxMovesTest(tf.test.TestCase, parameterized.TestCase):
    def test_a_crop_moves_cuts_off_and_leaves_out_by_hand(self):
        # 40 x 60 px from (12, 10) on, made 20 x 120 px.
        moved = box_moves.boxes_in_crop(BOXES, [12, 10, 40, 60], (20, 120))
        want = [
            [0, 20, 9, 100],
            NONE,
            NONE,
            NONE,  # its middle, (40, 70), lies on the crop's end
        ]
        self.assertAllClose(moved, want)
        moved = box_moves.boxes_in_crop(BOXES, [12, 10, 40, 62], (40, 62))
        self.assertAllClose(moved[3], [18, 40, 38, 62])

    def test_a_mirror_image_has_left_and_right_swapped(self):
        moved = box_moves.mirrored_boxes(BOXES, 100)
        want = [[10, 40, 30, 80], NONE, [0, 92, 8, 100], [30, 10, 50, 50]]
        self.assertAllClose(moved, want)
        self.assertAllClose(box_moves.mirrored_boxes(moved, 100), BOXES)

    def test_what_has_no_area_is_no_box(self):
        flat = tf.constant([[3.0, 4, 3, 9], [3, 4, 9, 4], [3, 4, 5, 6], NONE])
        self.assertAllEqual(box_moves.is_box(flat), [False, False, True, False])


def picture(boxes, height=48, width=64):
    """Returns an image with a filled box for each channel."""
    image = np.zeros([height, width, 3], np.uint8)
    for channel, (top, left, bottom, right) in enumerate(boxes):
        image[top:bottom, left:right, channel] = 255
    return image


class TransformsTest(tf.test.TestCase, parameterized.TestCase):
    filled = ((5, 8, 25, 30), (20, 34, 44, 60), (2, 40, 15, 52))

    def check(self, image, boxes):
        """Where a box is, its channel is bright, and nowhere else."""
        height, width = image.shape[:2]
        for channel, (top, left, bottom, right) in enumerate(boxes.numpy()):
            if top < 0:
                continue
            bright = image[..., channel].numpy() > 127
            y, x = np.arange(height) + 0.5, np.arange(width) + 0.5
            inside = np.outer(
                (top < y) & (y < bottom), (left < x) & (x < right)
            )
            # Borders between pixels may fall to either side.
            self.assertLess((bright != inside).mean(), 0.05)
            self.assertGreater(inside.sum(), 0)

    def test_augmented_boxes_stay_on_their_objects(self):
        image = picture(self.filled)
        boxes = tf.constant(self.filled, tf.float32)
        augmentation = data.PretrainingAugmentation((60, 40), (0.3, 0.9))
        num_kept = 0
        for number in range(12):  # some of them mirrored
            alone = augmentation(image, seed(number))
            moved, found = augmentation(image, seed(number), boxes=boxes)
            self.assertAllEqual(moved, alone)
            self.assertEqual((found.dtype, found.shape), (tf.float32, [3, 4]))
            self.check(moved, found)
            num_kept += np.sum(found.numpy()[:, 0] >= 0)
        self.assertBetween(num_kept, 12, 3 * 12 - 1)

    @parameterized.parameters(((24, 32),), ((40, 40),), ((20, 60),))
    def test_a_centre_crop_takes_boxes_along(self, size):
        image = picture(self.filled)
        boxes = tf.constant(self.filled, tf.float32)
        moved, found = data.ResizeAndCentreCrop(size)(image, boxes=boxes)
        self.check(moved, found)
        if size == (24, 32):  # the whole of it, half as large
            self.assertAllClose(found, boxes / 2)

    def test_a_mask_and_boxes_come_together_in_this_order(self):
        image = picture(self.filled)
        boxes = tf.constant(self.filled, tf.float32)
        mask = image[..., :1]
        for transform in (
            data.PretrainingAugmentation((60, 40)),
            data.ResizeAndCentreCrop((60, 40)),
        ):
            got = transform(image, seed(1), segmentation=mask, boxes=boxes)
            self.assertLen(got, 3)
            self.assertAllEqual(
                got[1], transform(image, seed(1), segmentation=mask)[1]
            )
            self.assertAllEqual(
                got[2], transform(image, seed(1), boxes=boxes)[1]
            )

    def test_eagerly_and_in_a_graph_they_are_the_same(self):
        image = picture(self.filled)
        boxes = tf.constant(self.filled, tf.float32)
        augmentation = data.PretrainingAugmentation((60, 40))
        run = tf.function(
            lambda image, boxes: augmentation(image, seed(3), boxes=boxes)
        )
        for a, b in zip(
            run(image, boxes),
            augmentation(image, seed(3), boxes=boxes),
            strict=True,
        ):
            self.assertAllEqual(a, b)


class StreamTest(tf.test.TestCase):
    def create(self, source, **options):
        return data.ImageStream(
            source,
            data.PretrainingAugmentation(
                (32, 48), (0.3, 0.6), horizontal_flip=False
            ),
            data.Normalization(source.mean, source.std),
            seed=3,
            **options,
        )

    @pytest.mark.slow
    def test_elements_carry_their_boxes_into_batches(self):
        source = data.DigitScenesSource()
        stream = self.create(source, with_boxes=True, with_segmentation=True)
        batches = stream.batches(4, start_index=8)
        spec = batches.element_spec
        self.assertEqual(spec["boxes"], tf.TensorSpec([4, 4, 4], tf.float32))
        self.assertEqual(spec["box_classes"], tf.TensorSpec([4, 4], tf.int64))
        self.assertEqual(spec["segmentation"].shape, [4, 32, 48, 1])
        batch = next(iter(batches))
        element = stream.element(9)
        for key, value in element.items():
            self.assertAllEqual(batch[key][1], value)

    def test_classes_go_where_their_boxes_go(self):
        source = data.DigitScenesSource()
        stream = self.create(source, with_boxes=True)
        num_lost = 0
        for k in range(12):
            element = stream.element(k)
            scene = source.read(element["index"])
            is_there = element["boxes"].numpy()[:, 0] >= 0
            want = np.where(is_there, scene["box_classes"], -1)
            self.assertAllEqual(element["box_classes"], want)
            num_lost += np.sum((scene["box_classes"] >= 0) & ~is_there)
        self.assertGreater(num_lost, 0)

    def test_without_being_asked_a_stream_has_none(self):
        stream = self.create(data.DigitScenesSource())
        self.assertEqual(
            set(stream.batches(4).element_spec), {"image", "index"}
        )

    def test_a_source_without_boxes_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`with_boxes`"):
            self.create(data.DigitsSource(channels=3), with_boxes=True)


if __name__ == "__main__":
    tf.test.main()
