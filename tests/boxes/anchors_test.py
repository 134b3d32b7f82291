"""Tests for tf_simmim.boxes.anchors."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import boxes

IMAGE_SIZE = (40, 64)


class AnchorsTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        ([4, 8], (64, 40), [4, 8, 16]),
        ([4, 8, 16, 32], (224, 224), [4, 8, 16, 32, 64]),
        ([8, 16], (32, 32), [8, 16]),
        ([16], (640, 90), [16, 32, 64, 128]),
    )
    def test_maps_are_added_until_an_anchor_is_as_large_as_the_image(
        self, strides, image_size, want
    ):
        self.assertEqual(boxes.detection_strides(strides, image_size), want)

    def test_nine_are_at_the_middle_of_each_cell_row_by_row(self):
        anchors = boxes.create_anchors((120, 160), [8, 32])
        # ceil(120 / 32) = 4 rows, although 32 does not divide 120.
        self.assertEqual(anchors.shape, (9 * (15 * 20 + 4 * 5), 4))
        self.assertEqual(anchors.dtype, np.float32)
        cell = anchors[9 * (7 * 20 + 9) :][:9]  # row 7, column 9
        middles = (cell[:, :2] + cell[:, 2:]) / 2
        self.assertAllClose(middles, np.broadcast_to([[60.0, 76]], [9, 2]))

    def test_their_sizes_are_those_of_the_paper(self):
        anchors = boxes.create_anchors((512, 640), [8])
        cell = anchors[9 * (32 * 80 + 40) :][:9]
        height, width = (cell[:, 2:] - cell[:, :2]).T
        sides = np.repeat([32, 32 * 2 ** (1 / 3), 32 * 2 ** (2 / 3)], 3)
        self.assertAllClose(height * width, sides**2, rtol=1e-5)
        self.assertAllClose(width / height, [0.5, 1, 2] * 3, rtol=1e-5)

    def test_they_are_cut_off_at_the_border_and_never_empty(self):
        for size in (IMAGE_SIZE, (33, 17)):
            anchors = boxes.create_anchors(size, [8, 16])
            self.assertAllEqual(anchors[:, :2] >= 0, np.ones([len(anchors), 2]))
            self.assertAllLessEqual(anchors[:, 2], size[0])
            self.assertAllLessEqual(anchors[:, 3], size[1])
            self.assertAllGreater(anchors[:, 2:] - anchors[:, :2], 0)


if __name__ == "__main__":
    tf.test.main()
