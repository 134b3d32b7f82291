"""Those who read checkpoints while another process writes them, or may not.

Covers tf_simmim.training.checkpoints.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

from tf_simmim.training import checkpoints
from tf_simmim.training import manifests


def make_checkpoint(value=0.0):
    return tf.train.Checkpoint(kernel=tf.Variable(tf.fill([3, 5], value)))


def damage(folder):
    (folder / "state.index").write_bytes(b"")


@contextlib.contextmanager
def without_superuser():
    """Takes the rights of the superuser away, whom no file mode stops."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class CheckpointReadersTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = Path(folder.name)
        self.directory.chmod(0o755)
        self.store = checkpoints.CheckpointStore(self.directory, keep=3)

    def save(self, *steps):
        for step in steps:
            self.store.save(make_checkpoint(float(step)), step, {})

    def names(self):
        return sorted(path.name for path in self.directory.iterdir())

    def test_only_a_sweep_removes_what_was_left_half_written(self):
        self.save(1)
        (self.directory / "tmp-00000002").mkdir()
        (self.directory / "tmp-00000002" / "state.index").write_text("half")
        (self.directory / "tmp-00000001-77").mkdir()
        (self.directory / "tmp-file").write_text("half")
        before = self.names()
        store = checkpoints.CheckpointStore(self.directory)
        store.latest()
        store.restore(make_checkpoint(), set_aside=False)
        self.assertEqual(self.names(), before)
        store.sweep()
        self.assertEqual(self.names(), ["step-00000001"])

    def test_reader_settles_for_an_older_one_and_changes_nothing(self):
        self.save(1, 2)
        damage(self.directory / "step-00000002")
        live = make_checkpoint()
        with self.assertLogs("absl", "ERROR") as logs:
            manifest = self.store.restore(live, set_aside=False)
        self.assertEqual(manifest["step"], 1)
        self.assertAllEqual(live.kernel, np.full([3, 5], 1.0))
        self.assertIn("left as it is, using step-00000001", logs.output[0])
        self.assertEqual(self.names(), ["step-00000001", "step-00000002"])

    def test_reader_takes_the_next_when_the_trainer_removes_one_meanwhile(self):
        self.save(1)
        reader = checkpoints.CheckpointStore(self.directory)
        trainer = checkpoints.CheckpointStore(self.directory, keep=1)
        read = manifests.read
        removed = []

        def read_too_late(folder):
            if not removed:
                removed.append(folder.name)
                trainer.save(make_checkpoint(2.0), 2, {})
            return read(folder)

        with mock.patch.object(manifests, "read", read_too_late):
            manifest = reader.restore(make_checkpoint(), set_aside=False)
        self.assertEqual(removed, ["step-00000001"])
        self.assertEqual(manifest["step"], 2)

    def test_checkpoint_that_may_not_be_read_is_refused_and_not_skipped(self):
        self.save(1, 2)
        file = self.directory / "step-00000002" / "manifest.json"
        file.chmod(0)
        with without_superuser():
            with self.assertRaisesRegex(ValueError, f"may read.*{file}"):
                self.store.restore(make_checkpoint())
        self.assertEqual(self.names(), ["step-00000001", "step-00000002"])

    def test_damaged_one_that_cannot_be_renamed_is_refused(self):
        self.save(1, 2)
        damage(self.directory / "step-00000002")
        self.directory.chmod(0o555)
        self.addCleanup(self.directory.chmod, 0o755)
        with without_superuser():
            with self.assertRaisesRegex(ValueError, "rename what is damaged"):
                self.store.restore(make_checkpoint())
        self.assertEqual(self.names(), ["step-00000001", "step-00000002"])


if __name__ == "__main__":
    tf.test.main()
