"""Tests for tf_simmim.visualization.picture_table."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import visualization

H, W = 40, 60
GAP = 4


def cell(red):
    return np.full([H, W, 3], (red, 0, 0), np.uint8)


class PictureTableTest(tf.test.TestCase, parameterized.TestCase):
    def test_pictures_lie_in_rows_with_gaps(self):
        table = visualization.picture_table(
            [[cell(10), cell(20)], [cell(30)]], min_cell_size=40
        )
        want = np.full([GAP + 2 * (H + GAP), GAP + 2 * (W + GAP), 3], 255)
        want[GAP : GAP + H, GAP : GAP + W] = cell(10)
        want[GAP : GAP + H, -GAP - W : -GAP] = cell(20)
        want[-GAP - H : -GAP, GAP : GAP + W] = cell(30)
        self.assertAllEqual(table, want)

    def test_small_pictures_are_enlarged_by_a_whole_factor(self):
        table = visualization.picture_table([[cell(10)]], min_cell_size=81)
        self.assertEqual(table.shape, (2 * GAP + 3 * H, 2 * GAP + 3 * W, 3))

    @parameterized.parameters(
        (["some text"], 1), (["one\ntwo"], 2), ([["a", "b\nc\nd"]], 3)
    )
    def test_captions_make_room_below_their_row(self, captions, num_lines):
        plain, captioned = (
            visualization.picture_table(
                [[cell(200)] * 2], captions=captions, min_cell_size=40
            )
            for captions in (None, captions)
        )
        height = captioned.shape[0] - plain.shape[0]
        self.assertBetween(height, 12 * num_lines, 20 * num_lines + GAP)
        self.assertLess(captioned[-height:].min(), 128)
        self.assertAllEqual(captioned[: GAP + H], plain[: GAP + H])

    def test_rows_without_a_caption_get_no_room(self):
        rows = [[cell(1)], [cell(2)]]
        tables = [
            visualization.picture_table(rows, captions=captions)
            for captions in (None, ["", ""], ["", "text"])
        ]
        self.assertEqual(tables[0].shape, tables[1].shape)
        self.assertGreater(tables[2].shape[0], tables[0].shape[0])

    def test_long_text_is_cut_to_its_place(self):
        table = visualization.picture_table(
            [[cell(200)] * 2],
            captions=[["much too long a name for a picture.jpg", ""]],
            min_cell_size=40,
        )
        below = table[GAP + H :]
        self.assertAllEqual(
            below[:, GAP + W :], np.full_like(below[:, GAP + W :], 255)
        )
        self.assertLess(below[:, : GAP + W].min(), 128)

    @parameterized.parameters(
        ([[]], {}, "one size"),
        ([[cell(1), cell(1)[1:]]], {}, r"one size.*\(39, 60, 3\).*\(40,"),
        ([[cell(1) / 255]], {}, "float64"),
        ([[cell(1)]], {"headings": ["a", "b"]}, "`headings` must have 1"),
        ([[cell(1)]], {"captions": []}, "`captions` must have 1"),
    )
    def test_what_is_no_table_is_refused(self, rows, options, message):
        with self.assertRaisesRegex(ValueError, message):
            visualization.picture_table(rows, **options)


if __name__ == "__main__":
    tf.test.main()
