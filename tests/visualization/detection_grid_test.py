"""Tests for tf_simmim.visualization.detection_grid."""

import numpy as np
import tensorflow as tf

from tf_simmim import visualization

B, H, W = 2, 24, 36
NAMES = ["sky", "tree", "car"]
SIZE = 96  # px, four times as large
TRUTH = {
    "boxes": np.array([[[4, 6, 20, 24], [-1] * 4], [[-1] * 4] * 2], np.float32),
    "box_classes": np.array([[1, -1], [-1, -1]]),
}
FOUND = {
    "boxes": np.array([[[2, 3, 15, 30]], [[8, 8, 20, 32]]], np.float32),
    "classes": np.array([[2], [0]]),
    "confidence": np.array([[0.9], [0.4]], np.float32),
}


class DetectionGridTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.colours = visualization.class_colours(len(NAMES) + 1)[1:]

    def draw(self, channels=3, **options):
        return visualization.detection_grid(
            np.zeros([B, H, W, channels], np.uint8),
            options.pop("truth", TRUTH),
            FOUND,
            NAMES,
            min_cell_size=SIZE,
            **options,
        )

    def places(self, picture, label):
        """Returns where in a picture a class' colour is."""
        return np.argwhere((picture == self.colours[label]).all(axis=-1))

    def test_frames_are_where_the_boxes_are_enlarged(self):
        picture = self.draw()
        self.assertEqual(picture.dtype, np.uint8)
        truth, found = self.places(picture, 1), self.places(picture, 2)
        # Four times (16, 18) and (13, 27) px: the extent of the frames.
        self.assertAllEqual(np.ptp(truth, axis=0) + 1, [64, 72])
        self.assertAllEqual(np.ptp(found, axis=0) + 1, [52, 108])
        # Truth on the left, detections on the right, of the same image.
        corner = truth.min(axis=0) - 4 * np.array([4, 6])
        other = found.min(axis=0) - 4 * np.array([2, 3])
        self.assertEqual(corner[0], other[0])
        self.assertGreaterEqual(other[1] - corner[1], 4 * W)

    def test_what_is_less_sure_is_not_drawn(self):
        self.assertEmpty(self.places(self.draw(), 0))
        self.assertNotEmpty(self.places(self.draw(min_confidence=0.3), 0))

    def test_grey_images_have_coloured_frames(self):
        self.assertAllEqual(self.draw(channels=1), self.draw())

    def test_shapes_that_do_not_fit_are_refused(self):
        truth = {**TRUTH, "box_classes": TRUTH["box_classes"][:, :1]}
        with self.assertRaisesRegex(ValueError, "`boxes` must be"):
            self.draw(truth=truth)


if __name__ == "__main__":
    tf.test.main()
