"""Tests for tf_simmim.run.environment."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

from tf_simmim.run import environment


class EnvironmentTest(tf.test.TestCase):
    def test_facts_are_those_of_this_process(self):
        with mock.patch.dict(os.environ, {"TF_ENABLE_ONEDNN_OPTS": "0"}):
            facts = environment.describe_environment()
        self.assertEqual(facts["packages"]["numpy"], np.__version__)
        self.assertEqual(facts["packages"]["tensorflow"], tf.__version__)
        self.assertEqual(facts["python"], platform.python_version())
        self.assertEqual(facts["cpu_count"], os.cpu_count())
        self.assertIn("/physical_device:CPU:0", facts["devices"])
        self.assertEqual(facts["settings"]["TF_ENABLE_ONEDNN_OPTS"], "0")
        self.assertEqual(facts["command_line"], sys.argv)
        self.assertIn("intra_op", facts["threads"])

    def test_facts_survive_json(self):
        facts = environment.describe_environment()
        self.assertEqual(json.loads(json.dumps(facts)), facts)

    def test_variables_of_other_programs_are_left_out(self):
        with mock.patch.dict(os.environ, {"TF_VAR_db_password": "x"}):
            facts = environment.describe_environment()
        self.assertNotIn("TF_VAR_db_password", facts["settings"])


class FingerprintTest(tf.test.TestCase):
    def changed(self, before):
        with self.assertLogs("absl", "WARNING") as logs:
            environment.warn_if_changed(before)
        self.assertLen(logs.output, 1)
        self.assertIn("Continuing, but not bit-exact", logs.output[0])
        return logs.output[0]

    def test_fields_are_those_of_this_process(self):
        with mock.patch.dict(os.environ, {"TF_ENABLE_ONEDNN_OPTS": "0"}):
            fields = environment.fingerprint()
        self.assertEqual(fields["tensorflow"], tf.__version__)
        self.assertEqual(fields["numpy"], np.__version__)
        self.assertEqual(fields["python"], platform.python_version())
        self.assertEqual(fields["threads.intra_op"], 0)
        self.assertEqual(fields["TF_ENABLE_ONEDNN_OPTS"], "0")
        self.assertIn("/physical_device:CPU:0", fields["devices"])
        self.assertGreaterEqual(fields["cpu_count"], 1)
        self.assertNotEmpty(fields["cpu"])

    def test_fields_survive_json(self):
        fields = environment.fingerprint()
        self.assertEqual(json.loads(json.dumps(fields)), fields)

    def test_same_environment_is_no_news(self):
        with self.assertNoLogs("absl", "WARNING"):
            environment.warn_if_changed(environment.fingerprint())

    def test_one_warning_lists_every_field_that_differs(self):
        before = environment.fingerprint()
        before.update({"tensorflow": "2.0.0", "threads.intra_op": 4})
        line = self.changed(before)
        self.assertIn(f"tensorflow (was 2.0.0, is {tf.__version__})", line)
        self.assertIn("threads.intra_op (was 4, is 0)", line)
        self.assertNotIn("numpy", line)

    def test_setting_that_one_side_lacks_is_listed(self):
        before = environment.fingerprint()
        with mock.patch.dict(os.environ, {"XLA_FLAGS": "--x"}):
            line = self.changed(before)
            self.assertIn("XLA_FLAGS (was None, is --x)", line)

    def test_settings_that_change_no_result_play_no_part(self):
        before = environment.fingerprint()
        harmless = {"TF_CPP_MIN_LOG_LEVEL": "1", "CUDA_VISIBLE_DEVICES": "1"}
        with mock.patch.dict(os.environ, harmless):
            self.assertEqual(environment.fingerprint(), before)


class GitCommitTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.get_temp_dir())

    def git(self, *arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        result = subprocess.run(
            ["git", "-C", str(self.folder), *identity, *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        return result.stdout.strip()

    def test_commit_is_that_of_the_checkout_and_says_when_dirty(self):
        self.git("init")
        file = self.folder / "tracked.py"
        file.write_text("1")
        self.git("add", ".")
        self.git("commit", "-m", "first")
        commit = self.git("rev-parse", "HEAD")
        self.assertEqual(environment.git_commit(file), commit)
        file.write_text("2")
        self.assertEqual(environment.git_commit(file), commit + "-dirty")

    def test_file_that_git_does_not_track_has_no_commit(self):
        self.git("init")
        file = self.folder / "untracked.py"
        file.write_text("1")
        self.assertIsNone(environment.git_commit(file))

    def test_machine_without_git_has_no_commit(self):
        with mock.patch.dict(os.environ, {"PATH": ""}):
            self.assertIsNone(environment.git_commit(self.folder / "a.py"))


if __name__ == "__main__":
    tf.test.main()
