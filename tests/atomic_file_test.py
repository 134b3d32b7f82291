"""Tests for tf_simmim.atomic_file."""

import os
import pathlib
import tempfile

import tensorflow as tf

from tf_simmim import atomic_file


class AtomicFileTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = pathlib.Path(temporary.name) / "a.bin"
        self.path.write_bytes(b"old")

    def test_the_old_file_is_there_until_the_new_one_is_whole(self):
        with atomic_file.replacing(self.path) as file:
            file.write(b"new")
            file.flush()
            self.assertEqual(self.path.read_bytes(), b"old")
        self.assertEqual(self.path.read_bytes(), b"new")
        self.assertEqual(os.listdir(self.path.parent), ["a.bin"])

    def test_an_error_leaves_the_old_file_and_no_litter(self):
        with self.assertRaises(KeyboardInterrupt):
            with atomic_file.replacing(self.path) as file:
                file.write(b"new")
                raise KeyboardInterrupt
        self.assertEqual(self.path.read_bytes(), b"old")
        self.assertEqual(os.listdir(self.path.parent), ["a.bin"])

    def test_what_killed_processes_left_is_removed_and_nothing_else(self):
        folder = self.path.parent
        names = [".a.bin.7.tmp", ".b.json.81.tmp", ".hidden", "c.7.tmp"]
        for name in names:
            (folder / name).write_bytes(b"half")
        atomic_file.remove_leftovers(folder, "b.json")
        self.assertCountEqual(
            os.listdir(folder), ["a.bin", *names[:1], *names[2:]]
        )
        atomic_file.remove_leftovers(folder)
        self.assertCountEqual(os.listdir(folder), ["a.bin", *names[2:]])


if __name__ == "__main__":
    tf.test.main()
