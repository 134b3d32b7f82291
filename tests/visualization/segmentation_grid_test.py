"""Tests for tf_simmim.visualization.segmentation_grid."""

import numpy as np
import tensorflow as tf

from tf_simmim import visualization

B, H, W = 2, 8, 12
NAMES = ["none", "sky", "tree", "car"]


class SegmentationGridTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, [B, H, W, 3]).astype(np.uint8)
        self.truth = rng.integers(0, 3, [B, H, W, 1]).astype(np.uint8)
        self.truth[0, 0, 0] = 255
        self.prediction = rng.integers(0, 3, [B, H, W])
        self.colours = visualization.class_colours(4)

    def draw(self, **changes):
        arguments = {
            "images": self.images,
            "truth": self.truth,
            "prediction": self.prediction,
            **changes,
        }
        return visualization.segmentation_grid(
            **arguments, class_names=NAMES, min_cell_size=16
        )

    def test_a_row_is_image_truth_and_prediction_enlarged(self):
        picture = self.draw()
        self.assertEqual(picture.dtype, np.uint8)
        top = 6 + 19 + (16 + 6)  # the second row
        wanted = [
            self.images[1],
            self.colours[self.truth[1, ..., 0]],
            self.colours[self.prediction[1]],
        ]
        for i, cell in enumerate(wanted):
            left = 6 + i * (24 + 6)
            found = picture[top : top + 16, left : left + 24]
            self.assertAllEqual(found[::2, ::2], cell)

    def test_pixels_without_a_class_are_white_and_grey_images_grey(self):
        picture = self.draw(images=self.images[..., :1])
        self.assertAllEqual(picture[25, 6], self.images[0, 0, 0, :1].repeat(3))
        self.assertAllEqual(picture[25, 36], [255, 255, 255])

    def test_classes_that_occur_are_named_in_their_colours(self):
        below = self.draw()[25 + 2 * 22 :].reshape(-1, 3)
        for colour, is_there in zip(
            self.colours, (True, True, True, False), strict=True
        ):
            self.assertEqual((below == colour).all(axis=-1).any(), is_there)

    def test_colours_tell_many_classes_apart(self):
        colours = visualization.class_colours(60)
        self.assertLen(np.unique(colours, axis=0), 60)

    def test_shapes_that_do_not_fit_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`truth` must be"):
            self.draw(truth=self.truth[..., 0])


if __name__ == "__main__":
    tf.test.main()
