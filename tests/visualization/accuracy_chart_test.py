"""Tests for tf_simmim.visualization.accuracy_chart."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import visualization

# Colours of the lines.
PRETRAINED, UNTRAINED, PIXELS = (0, 114, 178), (213, 94, 0), (90, 90, 90)
# Of the first panel: the plot's top and bottom, px.
TOP, BOTTOM = 34 + 34, 34 + 226


def score(accuracy, half=0.03):
    low, high = max(0.0, accuracy - half), min(1.0, accuracy + half)
    return {"accuracy": accuracy, "low": low, "high": high}


def panel(pretrained, untrained, raw_pixels):
    return {
        "title": "k-NN",
        "pretrained": {str(b): score(a) for b, a in enumerate(pretrained)},
        "untrained": {str(b): score(a) for b, a in enumerate(untrained)},
        "raw_pixels": score(raw_pixels),
    }


def rows_of(picture, colour, columns=slice(None)):
    """Returns the rows in which a colour is found, in some columns."""
    # Lines are smooth: their edges are mixed with what is behind them.
    difference = np.abs(picture[:, columns].astype(int) - colour).max(axis=-1)
    return np.flatnonzero((difference < 100).any(axis=1))


class AccuracyChartTest(tf.test.TestCase, parameterized.TestCase):
    def height_of(self, accuracy):
        return BOTTOM - accuracy * (BOTTOM - TOP)

    def test_dots_stand_at_their_accuracies(self):
        picture = visualization.accuracy_chart(
            {"knn": panel([0.2, 0.7, 0.5], [0.4, 0.3, 0.1], 0.9)}
        )
        self.assertEqual(picture.dtype, np.uint8)
        self.assertEqual(picture.shape, (304, 350, 3))
        plot = picture[TOP - 5 : BOTTOM + 5]
        third = (336 - 52) / 3
        for colour, accuracies, shift in (
            (PRETRAINED, [0.2, 0.7, 0.5], -2),
            (UNTRAINED, [0.4, 0.3, 0.1], 2),
        ):
            for block, accuracy in enumerate(accuracies):
                x = round(52 + (block + 0.5) * third + shift)
                rows = rows_of(plot, colour, slice(x - 1, x + 2)) + TOP - 5
                self.assertAllClose(
                    rows.mean(), self.height_of(accuracy), atol=2.0
                )

    def test_raw_pixels_are_a_line_across(self):
        picture = visualization.accuracy_chart(
            {"knn": panel([0.2], [0.4], 0.75)}
        )
        for columns in (slice(52, 60), slice(300, 336)):
            rows = rows_of(picture[TOP:BOTTOM], PIXELS, columns) + TOP
            self.assertAllClose(rows.mean(), self.height_of(0.75), atol=1.5)

    def test_a_wider_interval_is_a_longer_bar(self):
        def length(half):
            scores = panel([0.5], [0.1], 0.9)
            scores["pretrained"]["0"] = score(0.5, half)
            picture = visualization.accuracy_chart({"knn": scores})
            columns = slice(190, 194)
            return len(rows_of(picture[TOP:BOTTOM], PRETRAINED, columns))

        height = BOTTOM - TOP
        self.assertAllClose(length(0.2), 0.4 * height, atol=5)
        self.assertAllClose(length(0.1), 0.2 * height, atol=5)

    @parameterized.parameters((1, 1, 1), (3, 1, 3), (4, 2, 3), (7, 3, 3))
    def test_panels_come_three_to_a_row(self, number, rows, columns):
        report = {
            f"p{i}": panel([0.5] * 24, [0.1] * 24, 1) for i in range(number)
        }
        picture = visualization.accuracy_chart(report)
        self.assertEqual(picture.shape, (34 + rows * 270, columns * 350, 3))

    def test_an_empty_report_is_refused(self):
        with self.assertRaisesRegex(ValueError, "must have a protocol"):
            visualization.accuracy_chart({})


if __name__ == "__main__":
    tf.test.main()
