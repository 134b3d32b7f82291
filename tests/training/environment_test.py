"""Tests for tf_simmim.training.environment."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

from tf_simmim.training import environment


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
        with mock.patch.dict(os.environ, {"MY_PASSWORD": "x"}):
            facts = environment.describe_environment()
        self.assertNotIn("MY_PASSWORD", facts["settings"])


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
