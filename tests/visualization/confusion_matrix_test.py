"""Tests for tf_simmim.visualization.confusion_matrix."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import visualization

WHITE, FULL, EMPTY = (255, 255, 255), (18, 60, 130), (235, 235, 235)


def _squares(picture, num_classes, side):
    """Cuts the matrix, which ends 6 px before the lower edge, by its frame."""
    bottom = len(picture) - 6
    is_frame = (picture == (45, 45, 45)).all(axis=-1)
    row = is_frame[bottom]
    left = int(np.flatnonzero(row)[0]) + 1
    top = bottom - num_classes * side
    return picture[top:bottom, left : left + num_classes * side]


class ConfusionMatrixTest(tf.test.TestCase, parameterized.TestCase):
    def test_darkness_is_the_share_of_the_row(self):
        confusion = np.array([[3, 1, 0], [0, 5, 0], [0, 0, 0]])
        names = ["cat", "a name much too long to be shown whole", "dog"]
        picture = visualization.confusion_matrix(confusion, names)
        self.assertEqual(picture.dtype, np.uint8)
        squares = _squares(picture, 3, 48)
        corners = squares[4::48, 4::48]  # away from the numbers
        self.assertAllEqual(corners[1], [WHITE, FULL, WHITE])
        self.assertAllEqual(corners[2], [EMPTY] * 3)
        share = 255 + 0.75 * (np.array(FULL) - 255)
        self.assertAllEqual(corners[0, 0], np.round(share))
        # Only counts are written, and of no image nothing.
        inside = squares.reshape(3, 48, 3, 48, 3).std(axis=(1, 3)).sum(-1) > 0
        self.assertAllEqual(inside, confusion > 0)

    @parameterized.parameters((41, 10), (101, 3), (500, 1))
    def test_many_classes_have_squares_alone(self, num_classes, side):
        confusion = np.eye(num_classes, dtype=int)
        picture = visualization.confusion_matrix(
            confusion, [str(n) for n in range(num_classes)]
        )
        squares = _squares(picture, num_classes, side)
        is_full = (squares == FULL).all(axis=-1)
        self.assertAllEqual(is_full[::side, ::side], confusion == 1)
        self.assertEqual(is_full.sum(), num_classes * side**2)

    def test_a_matrix_of_other_classes_is_refused(self):
        with self.assertRaisesRegex(ValueError, "each of the 2 class names"):
            visualization.confusion_matrix(np.zeros([3, 3]), ["a", "b"])


if __name__ == "__main__":
    tf.test.main()
