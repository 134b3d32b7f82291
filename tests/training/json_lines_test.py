"""Tests for tf_simmim.training.json_lines.

Full disks are covered by tests/integration/full_disk_test.py.
"""

import json
import tempfile
from pathlib import Path

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.training import json_lines

ROWS = '{"step": 4, "loss": 0.5}\n{"step": 8, "loss": 0.25}\n'


class JsonLinesTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = Path(tempfile.mkdtemp(dir=self.get_temp_dir())) / "r"
        self.file = json_lines.JsonLines(self.path)

    @parameterized.parameters(
        (3, ""), (4, ROWS[:25]), (7, ROWS[:25]), (8, ROWS), (99, ROWS)
    )
    def test_rows_past_the_step_are_cut(self, step, want):
        self.path.write_text(ROWS)
        self.file.restart(step)
        self.assertEqual(self.path.read_text(), want)

    def test_line_that_was_cut_off_is_dropped(self):
        self.path.write_text(ROWS + '{"step": 12, "lo')
        self.assertLen(self.file.rows(99), 2)
        self.file.restart(99)
        self.assertEqual(self.path.read_text(), ROWS)

    def test_without_a_file_there_are_no_rows(self):
        self.assertEqual(self.file.rows(5), [])
        self.file.restart(5)
        self.assertEqual(self.path.read_text(), "")

    @parameterized.parameters("?\n", "{}\n", "[1]\n")
    def test_line_that_is_no_row_is_named(self, line):
        self.path.write_text(ROWS + line + ROWS)
        with self.assertRaisesRegex(ValueError, "Received line 3: "):
            self.file.restart(99)

    def test_rows_come_back_as_they_were_appended(self):
        written = [{"step": 1, "loss": 0.1}, {"step": 2, "indices": [5, 3]}]
        for row in written:
            self.file.append(row)
        self.assertEqual(self.file.rows(1), written[:1])
        self.assertEqual(self.file.rows(2), written)

    def test_numbers_that_are_not_finite_become_null(self):
        row = {"step": 1, "a": float("nan"), "b": float("-inf"), "c": 2.5}
        self.file.append(row)
        self.assertEqual(
            json.loads(self.path.read_text()),
            {"step": 1, "a": None, "b": None, "c": 2.5},
        )


if __name__ == "__main__":
    tf.test.main()
