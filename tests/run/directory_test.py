"""Tests for tf_simmim.run.directory."""

import json
import os
from pathlib import Path
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.run import directory


class RunDirectoryTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.parent = Path(self.get_temp_dir())

    def test_folders_are_made_and_made_again_without_harm(self):
        for _ in range(2):
            run = directory.RunDirectory(self.parent / "a" / "b")
        for name in ("checkpoints", "reconstructions", "tensorboard"):
            self.assertTrue((self.parent / "a" / "b" / name).is_dir())
            self.assertEqual(getattr(run, name), run.path / name)
        self.assertEqual(run.metrics_file, run.path / "metrics.jsonl")

    def test_flags_are_written_and_replaced(self):
        run = directory.RunDirectory(self.parent)
        run.write_flags("--seed=1\n")
        run.write_flags("--seed=2\n")
        self.assertEqual(run.flags_file.read_text(), "--seed=2\n")
        self.assertEqual(list(self.parent.glob(".*")), [])

    def test_environment_is_json_with_the_version_of_tensorflow(self):
        run = directory.RunDirectory(self.parent)
        run.write_environment()
        written = json.loads(run.environment_file.read_text())
        self.assertEqual(written["packages"]["tensorflow"], tf.__version__)

    def test_summary_writer_writes_into_the_tensorboard_folder(self):
        run = directory.RunDirectory(self.parent)
        run.summary_writer().close()
        self.assertLen(list(run.tensorboard.iterdir()), 1)

    def test_file_in_the_way_is_named(self):
        file = self.parent / "file"
        file.write_text("")
        for path in (file, file / "below"):
            with self.assertRaisesRegex(
                ValueError, f"`path` must be a folder.*{file}"
            ):
                directory.RunDirectory(path)

    def test_file_that_is_a_link_is_refused_and_a_folder_may_be_one(self):
        elsewhere = self.parent / "elsewhere"
        elsewhere.mkdir()
        run = self.parent / "run"
        run.mkdir()
        (run / "checkpoints").symlink_to(elsewhere)
        directory.RunDirectory(run)
        for target in (self.parent / "missing", elsewhere / "file"):
            (run / "metrics.jsonl").symlink_to(target)
            with self.assertRaisesRegex(ValueError, "where metrics.jsonl is"):
                directory.RunDirectory(run)
            target.write_text("")
            with self.assertRaisesRegex(ValueError, "where metrics.jsonl is"):
                directory.RunDirectory(run)
            (run / "metrics.jsonl").unlink()
        # TensorFlow cannot remove a folder with a link to a folder in it.
        (run / "checkpoints").unlink()

    @parameterized.product(
        name=("lock", "flags.txt", "committed.json", "evaluation.json"),
        make=(os.mkdir, os.mkfifo),
    )
    def test_what_stands_in_the_place_of_a_file_is_named(self, name, make):
        run = self.parent / f"{name} {make.__name__}"
        directory.RunDirectory(run)
        make(run / name)
        for create in (True, False):
            with self.assertRaisesRegex(ValueError, f"{run}, where {name} is"):
                directory.RunDirectory(run, create)

    def test_what_stands_in_the_place_of_rows_keeps_nobody_out(self):
        run = self.parent / "rows"
        run.mkdir()
        os.mkfifo(run / "metrics.jsonl")
        (run / "skipped_steps.jsonl").mkdir()
        directory.RunDirectory(run)

    def test_name_that_tensorflow_would_take_for_another_is_named(self):
        directory.RunDirectory(self.parent / "größe")
        # As Python has UTF-8 letters in the locale C.
        for name, fsencode in (
            (b"gr\xc3\xb6".decode("ascii", "surrogateescape"), None),
            (b"gr\xc3\xb6".decode("latin-1"), lambda p: b"gr\xc3\xb6"),
        ):
            with mock.patch.object(os, "fsencode", fsencode or os.fsencode):
                with self.assertRaisesRegex(ValueError, "gr.*the encoding utf"):
                    directory.RunDirectory(name)

    def test_to_read_a_run_nothing_is_made_and_need_be_writable(self):
        run = self.parent / "read"
        run.mkdir()
        with mock.patch.object(os, "access", return_value=False):
            directory.RunDirectory(run, create=False)
        self.assertEqual(list(run.iterdir()), [])

    def test_folder_without_write_permission_is_refused(self):
        directory.RunDirectory(self.parent)
        with mock.patch.object(os, "access", return_value=False):
            with self.assertRaisesRegex(ValueError, "may write to"):
                directory.RunDirectory(self.parent)

    def test_place_where_no_folder_can_be_made_is_refused(self):
        error = PermissionError(13, "Permission denied", "/x")
        with mock.patch.object(Path, "mkdir", side_effect=error):
            with self.assertRaisesRegex(ValueError, "Permission denied: /x"):
                directory.RunDirectory(self.parent)

    def test_what_a_killed_trainer_left_half_written_is_swept_away(self):
        run = directory.RunDirectory(self.parent)
        left = [
            self.parent / ".metrics.jsonl.7.tmp",
            self.parent / ".flags.txt.7.tmp",
            run.reconstructions / ".step-00000008.png.81.tmp",
        ]
        of_readers = self.parent / ".evaluation.json.9.tmp"
        picture = run.reconstructions / "step-00000004.png"
        for file in (*left, of_readers, picture):
            file.write_text("half")
        run.sweep()
        self.assertEqual([file.exists() for file in left], [False] * 3)
        self.assertTrue(of_readers.exists() and picture.exists())

    def test_url_is_refused(self):
        with self.assertRaisesRegex(ValueError, "gs://bucket/run"):
            directory.RunDirectory("gs://bucket/run")


if __name__ == "__main__":
    tf.test.main()
