"""Tests for tf_simmim.training.checkpoint_folders."""

import errno
import os
from pathlib import Path
from unittest import mock

import tensorflow as tf

from tf_simmim.training import checkpoint_folders


class CheckpointFoldersTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.get_temp_dir())

    def make(self, *names):
        for name in names:
            (self.directory / name).mkdir()
            (self.directory / name / "state.index").write_text(name)

    def names(self):
        return sorted(path.name for path in self.directory.iterdir())

    def test_only_the_exact_name_of_a_step_is_found(self):
        # Two names of step 5: one more zero must not hide the real one.
        self.make("step-00000005", "step-000000005", "step-0000006")
        self.make("step-123456789", "corrupt-step-00000007", "tmp-00000008")
        self.assertEqual(
            checkpoint_folders.find(self.directory),
            {
                5: self.directory / "step-00000005",
                123456789: self.directory / "step-123456789",
            },
        )

    def test_removal_never_takes_the_one_just_written(self):
        self.make("step-00000003", "step-00000004", "step-00000009")
        checkpoint_folders.remove_old(self.directory, keep=1, newest=4)
        self.assertEqual(self.names(), ["step-00000004", "step-00000009"])

    def test_what_cannot_be_removed_is_a_line_in_the_log(self):
        self.make("step-00000003", "step-00000004", "step-00000005")
        rename = os.rename

        def rename_others(source, target):
            if source.name == "step-00000003":
                raise OSError(errno.EMFILE, "Too many open files")
            rename(source, target)

        with mock.patch.object(os, "rename", rename_others):
            with self.assertLogs("absl", "WARNING") as logs:
                checkpoint_folders.remove_old(self.directory, keep=1, newest=5)
        self.assertLen(logs.output, 1)
        self.assertIn("tmp-00000003 was not removed", logs.output[0])
        self.assertEqual(self.names(), ["step-00000003", "step-00000005"])

    def test_what_an_attempt_has_left_goes_with_the_next_that_succeeds(self):
        self.make("tmp-00000003", "step-00000005")
        checkpoint_folders.remove_old(self.directory, keep=1, newest=5)
        self.assertEqual(self.names(), ["step-00000005"])

    def test_a_folder_that_was_removed_holds_no_checkpoints(self):
        gone = self.directory / "gone"
        self.assertEqual(checkpoint_folders.find(gone), {})

    def test_link_and_file_in_the_place_of_a_checkpoint_are_removed(self):
        self.make("mine", "step-00000005")
        (self.directory / "step-00000003").symlink_to(self.directory / "mine")
        (self.directory / "step-00000004").write_text("")
        checkpoint_folders.remove_old(self.directory, keep=1, newest=5)
        self.assertEqual(self.names(), ["mine", "step-00000005"])
        self.assertTrue((self.directory / "mine" / "state.index").exists())


if __name__ == "__main__":
    tf.test.main()
