"""Tests for tf_simmim.atomic_file."""

import errno
import os
import pathlib
import tempfile
from unittest import mock

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

    def test_what_is_no_ordinary_file_is_not_opened(self):
        self.assertEqual(atomic_file.read_bytes(self.path), b"old")
        self.assertEqual(atomic_file.read_bytes(self.path, 2), b"ol")
        pipe = self.path.with_name("pipe")
        os.mkfifo(pipe)
        for path in (pipe, self.path.parent, "/dev/zero"):
            with self.assertRaisesRegex(OSError, "no ordinary file"):
                atomic_file.read_bytes(path)
        with self.assertRaises(FileNotFoundError):
            atomic_file.read_bytes(self.path.with_name("gone"))

    def test_programs_leave_no_half_written_results(self):
        folder = pathlib.Path(__file__).parents[1] / "tf_simmim/programs"
        programs = sorted(folder.rglob("*.py"))
        self.assertGreater(len(programs), 20)
        for program in programs:
            text = program.read_text(encoding="utf-8")
            text = text.replace("atomic_file.write_text(", "")
            for call in (".write_text(", ".write_bytes(", ', "w")', ', "wb")'):
                self.assertNotIn(call, text, program.name)

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

    def test_failed_replacement_leaves_the_old_file_and_no_litter(self):
        path = self.path.parent / "a.txt"
        atomic_file.write_text(path, "old")
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(os, "fsync", side_effect=full):
            with self.assertRaisesRegex(OSError, "No space left"):
                atomic_file.write_text(path, "new")
        self.assertEqual(path.read_text(), "old")
        self.assertCountEqual(os.listdir(path.parent), ["a.bin", "a.txt"])

    def test_everything_is_written_by_a_file_that_takes_little(self):
        taken = []

        def take(content):
            taken.append(bytes(content[:3]))
            return len(taken[-1])

        atomic_file.write_all(mock.Mock(write=take), b"0123456789")
        self.assertEqual(b"".join(taken), b"0123456789")


if __name__ == "__main__":
    tf.test.main()
