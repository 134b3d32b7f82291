"""Tests for tf_simmim.visualization.accuracy_curves."""

import numpy as np
import tensorflow as tf

from tf_simmim import visualization
from tf_simmim.visualization import charting

# The plot lies between these, px.
LEFT, TOP, RIGHT, BOTTOM = 56, 34, 500, 280


def has_colour(picture, place, colour):
    x, y = place
    distance = np.abs(picture[round(y), round(x)].astype(int) - colour)
    return distance.max() < 40


class AccuracyCurvesTest(tf.test.TestCase):
    def test_points_lie_where_their_numbers_are(self):
        picture = visualization.accuracy_curves(
            {"a": [(50, 0.2), (100, 0.9)], "b": [(25, 0.0), (200, 1.0)]}
        )
        self.assertEqual(picture.shape, (370, 520, 3))
        self.assertEqual(picture.dtype, np.uint8)
        for step, accuracy, colour in (
            (50, 0.2, charting.BLUE),
            (100, 0.9, charting.BLUE),
            (25, 0.0, charting.VERMILION),
            (200, 1.0, charting.VERMILION),
        ):
            x = LEFT + step / 200 * (RIGHT - LEFT)
            y = BOTTOM - accuracy * (BOTTOM - TOP)
            self.assertTrue(has_colour(picture, (x, y), colour), (step, colour))
        # A curve ends with its last step.
        x, y = LEFT + 0.75 * (RIGHT - LEFT), BOTTOM - 0.9 * (BOTTOM - TOP)
        self.assertFalse(has_colour(picture, (x, y), charting.BLUE))

    def test_a_run_of_one_point_is_a_dot(self):
        picture = visualization.accuracy_curves({"a": [(7, 0.5)]})
        middle = (TOP + BOTTOM) / 2
        self.assertTrue(has_colour(picture, (RIGHT, middle), charting.BLUE))

    def test_what_cannot_be_drawn_is_refused(self):
        for count in (0, 7):
            with self.assertRaisesRegex(ValueError, f"Received: {count}"):
                visualization.accuracy_curves(
                    {str(i): [(1, 0.5)] for i in range(count)}
                )
        with self.assertRaisesRegex(ValueError, "none: 'empty'"):
            visualization.accuracy_curves({"empty": []})


if __name__ == "__main__":
    tf.test.main()
