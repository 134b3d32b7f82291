"""Tests for tf_simmim.run.json_lines.

Full disks are covered by tests/integration/full_disk_test.py.
"""

import errno
import json
import os
import tempfile
from pathlib import Path
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import atomic_file
from tf_simmim.run import json_lines

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

    @parameterized.parameters(
        "?\n", "{}\n", "[1]\n", '{"step": "4"}\n', "[" * 9999 + "\n", "\r?\n"
    )
    def test_line_that_is_no_row_is_named_with_its_file(self, line):
        self.path.write_text(ROWS + line + ROWS, newline="")
        with self.assertRaisesRegex(
            ValueError, f"^{self.path} is damaged: .*Received line 3: "
        ):
            self.file.rows(99)

    def set_aside(self, rows):
        with self.assertLogs("absl", "ERROR") as logs:
            self.assertTrue(self.file.set_damaged_aside())
        self.assertLen(logs.output, 1)
        self.assertIn(str(self.path), logs.output[0])
        self.assertIn("Renamed to corrupt-r", logs.output[0])
        self.assertEqual(self.path.read_text(), rows)
        self.assertFalse(self.file.set_damaged_aside())

    def test_damaged_file_is_set_aside_and_its_sound_rows_are_kept(self):
        damaged = ROWS + "half\n" + ROWS
        self.path.write_text(damaged)
        self.set_aside(ROWS + ROWS)
        aside = self.path.with_name("corrupt-r")
        self.assertEqual(aside.read_text(), damaged)
        self.path.write_bytes(b"\xff\n")
        self.set_aside("")
        self.assertTrue(self.path.with_name("corrupt-r-2").is_file())

    @parameterized.parameters(os.mkdir, os.mkfifo)
    def test_what_is_no_file_is_set_aside(self, make):
        make(self.path)
        with self.assertRaisesRegex(ValueError, f"^{self.path} must be a file"):
            self.file.rows(1)
        self.set_aside("")
        self.file.append({"step": 1})
        self.assertLen(self.file.rows(1), 1)

    def test_row_that_the_disk_refuses_once_comes_with_the_next(self):
        self.path.write_text(ROWS)
        self.file.restart(8)
        error = OSError(errno.EIO, "Input/output error")
        with mock.patch.object(os, "fsync", side_effect=error):
            with self.assertLogs("absl", "ERROR") as logs:
                self.file.append({"step": 12})
        self.assertIn(f"rows of {self.path}, for now (Input", logs.output[0])
        self.assertEqual(self.path.read_text(), ROWS)
        self.assertLen(self.file.rows(12), 3)
        self.file.flush()
        self.assertEqual(self.path.read_text(), ROWS + '{"step": 12}\n')

    def test_half_a_row_that_could_not_be_cut_off_is_cut_off_later(self):
        self.path.write_text(ROWS)
        self.file.restart(8)

        def write_half(file, content):
            file.write(content[:5])
            file.close()  # so that the file cannot be cut either
            raise OSError(errno.EIO, "Input/output error")

        with mock.patch.object(atomic_file, "write_all", write_half):
            with self.assertLogs("absl", "ERROR"):
                self.file.append({"step": 12})
        self.assertLen(self.path.read_text(), len(ROWS) + 5)
        self.assertLen(self.file.rows(12), 3)
        self.file.append({"step": 16})
        want = ROWS + '{"step": 12}\n{"step": 16}\n'
        self.assertEqual(self.path.read_text(), want)

    def test_rows_that_wait_outlive_a_restart_on_a_full_disk(self):
        self.path.write_text(ROWS)
        error = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(os, "fsync", side_effect=error):
            with self.assertLogs("absl", "ERROR"):
                self.file.append({"step": 12})
                self.file.append({"step": 16})
            json_lines.JsonLines.of(self.file).restart(12)
        self.file.flush()
        self.assertEqual(self.path.read_text(), ROWS + '{"step": 12}\n')

    def test_summary_is_of_what_was_written_whatever_the_file_is_now(self):
        self.path.write_text(ROWS)
        self.file.restart(4)
        self.file.append({"step": 8})
        want = self.file.summary()
        self.assertEqual(want["rows"], 2)
        self.assertEqual(self.file.summary(8), want)
        self.assertEqual(self.file.summary(99), want)
        self.assertEqual(self.file.summary(7)["rows"], 1)
        text = self.path.read_text()
        self.path.write_text(text.replace("0.5", "0.4"))
        self.assertEqual(self.file.summary(), want)
        changed = self.file.summary(8)
        self.assertEqual(changed["rows"], 2)
        self.assertNotEqual(changed["sha256"], want["sha256"])

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
