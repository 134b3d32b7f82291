"""Tests for tf_simmim.training.files."""

import errno
import os
from pathlib import Path
from unittest import mock

import tensorflow as tf

from tf_simmim.training import files


class FilesTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.get_temp_dir())

    def test_failed_replacement_leaves_the_old_file_and_no_litter(self):
        path = self.directory / "a.txt"
        files.write_text(path, "old")
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(os, "fsync", side_effect=full):
            with self.assertRaisesRegex(OSError, "No space left"):
                files.write_text(path, "new")
        self.assertEqual(path.read_text(), "old")
        self.assertEqual(list(self.directory.iterdir()), [path])

    def test_everything_is_written_by_a_file_that_takes_little(self):
        taken = []

        def take(content):
            taken.append(bytes(content[:3]))
            return len(taken[-1])

        files.write_all(mock.Mock(write=take), b"0123456789")
        self.assertEqual(b"".join(taken), b"0123456789")


if __name__ == "__main__":
    tf.test.main()
