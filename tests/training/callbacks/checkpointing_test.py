"""Tests for what tf_simmim.training.callbacks.checkpointing does on failure.

What it does on success: see resume_test.py.
"""

import hashlib
import json
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

from tf_simmim.run import json_lines
from tf_simmim.training import callbacks
from tf_simmim.training import checkpoints
from tf_simmim.training.errors import CheckpointWriteError


class FailingStore(checkpoints.CheckpointStore):
    """A store whose disk is full at some steps."""

    def __init__(self, directory, full_at):
        super().__init__(directory, keep=10)
        self.full_at = full_at
        self.tried = []

    def save(self, checkpoint, step, metadata):
        self.tried.append(step)
        if step in self.full_at:
            raise CheckpointWriteError(self.directory, step, OSError("full"))
        return super().save(checkpoint, step, metadata)


class Failing(tf.keras.callbacks.Callback):
    """Raises at the end of a step, or before the first."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch, logs=None):
        if self.step == 0:
            raise ZeroDivisionError

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.step:
            raise ZeroDivisionError


class CheckpointingTest(tf.test.TestCase):
    def fit(self, full_at):
        """Trains 10 steps with a checkpoint every second one."""
        self.store = FailingStore(Path(self.get_temp_dir()), full_at)
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(3, kernel_initializer="ones")]
        )
        model.compile("sgd", "mse")
        checkpoint = tf.train.Checkpoint(model=model)
        saving = callbacks.Checkpointing(self.store, checkpoint, 2, 10, {})
        x, y = np.ones([20, 4]), np.ones([20, 3])
        model.fit(x, y, batch_size=2, verbose=0, callbacks=[saving])

    def fail_at(self, step, before_saving):
        """Trains until a callback fails; returns the one that saves."""
        self.store = FailingStore(Path(self.get_temp_dir()) / str(step), ())
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(3, kernel_initializer="ones")]
        )
        model.compile("sgd", "mse")
        checkpoint = tf.train.Checkpoint(model=model)
        saving = callbacks.Checkpointing(self.store, checkpoint, 2, 10, {})
        failing = Failing(step)
        order = [failing, saving] if before_saving else [saving, failing]
        x, y = np.ones([20, 4]), np.ones([20, 3])
        with self.assertRaises(ZeroDivisionError):
            model.fit(x, y, batch_size=2, verbose=0, callbacks=order)
        return saving

    def names(self):
        return sorted(int(p.name[-2:]) for p in self.store.directory.iterdir())

    def test_failure_is_logged_and_tried_again_at_the_next_interval(self):
        with self.assertLogs("absl", "ERROR") as logs:
            self.fit({4, 6})
        self.assertEqual(self.names(), [2, 8, 10])
        self.assertEqual(self.store.tried, [2, 4, 6, 8, 10])
        self.assertLen(logs.output, 2)
        self.assertIn("checkpoint of step 6 could not", logs.output[1])
        self.assertIn("failure 2 of at most 3 in a row", logs.output[1])

    def test_success_in_between_starts_the_count_anew(self):
        self.fit({2, 4, 8})
        self.assertEqual(self.names(), [6, 10])

    def test_third_failure_in_a_row_ends_the_run(self):
        with self.assertRaisesRegex(CheckpointWriteError, "step 8 .*full"):
            self.fit({4, 6, 8, 10})
        self.assertEqual(self.names(), [2])

    def test_after_an_error_the_last_finished_step_is_saved(self):
        saving = self.fail_at(step=5, before_saving=False)
        self.assertEqual(self.names(), [2, 4])
        saving.save_after_error()
        self.assertEqual(self.names(), [2, 4, 5])
        saving.save_after_error()
        self.assertEqual(self.names(), [2, 4, 5])

    def test_a_step_that_other_callbacks_have_not_finished_is_not_saved(self):
        saving = self.fail_at(step=5, before_saving=True)
        saving.save_after_error()
        self.assertEqual(self.names(), [2, 4])

    def test_step_0_is_not_saved(self):
        saving = self.fail_at(step=0, before_saving=False)
        saving.save_after_error()
        self.assertEqual(self.names(), [])

    def test_manifest_describes_the_rows_so_far_and_the_disk_is_asked_again(
        self,
    ):
        directory = Path(self.get_temp_dir()) / "run"
        file = directory / "metrics.jsonl"
        rows = json_lines.JsonLines(file)
        log = callbacks.MetricsLog(rows, 2, 4, 2, 8, lambda step: 0.1)
        store = checkpoints.CheckpointStore(
            directory / "checkpoints", mark=directory / "mark"
        )
        self.assertFalse(store.mark.exists())
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(3, kernel_initializer="ones")]
        )
        model.compile("sgd", "mse")
        checkpoint = tf.train.Checkpoint(model=model)
        saving = callbacks.Checkpointing(
            store, checkpoint, 4, 4, {"seed": 1}, metrics_log=log
        )
        append = rows._append_unwritten
        full = mock.Mock(side_effect=OSError(28, "No space left on device"))
        rows._append_unwritten = full

        class RoomAgain(tf.keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 3:
                    rows._append_unwritten = append

        x, y = np.ones([8, 4]), np.ones([8, 3])
        with self.assertLogs("absl", "ERROR"):
            model.fit(
                x,
                y,
                batch_size=2,
                verbose=0,
                callbacks=[log, RoomAgain(), saving],
            )
        self.assertLen(file.read_text().splitlines(), 2)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.assertEqual(
            store.newest_metadata(),
            {"seed": 1, "metrics": {"rows": 2, "sha256": digest}},
        )
        self.assertEqual(
            json.loads(store.mark.read_text()), {"first_checkpoint": 4}
        )

    def test_a_folder_removed_in_mid_run_is_made_again(self):
        class TidyUp(tf.keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 4:
                    shutil.rmtree(store.directory)

        store = checkpoints.CheckpointStore(Path(self.get_temp_dir()) / "c")
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(3, kernel_initializer="ones")]
        )
        model.compile("sgd", "mse")
        checkpoint = tf.train.Checkpoint(model=model)
        saving = callbacks.Checkpointing(store, checkpoint, 4, 6, {})
        x, y = np.ones([12, 4]), np.ones([12, 3])
        model.fit(x, y, batch_size=2, verbose=0, callbacks=[saving, TidyUp()])
        self.assertEqual(store.latest(), 6)
        self.assertEqual(len(list(store.directory.iterdir())), 1)

    def test_step_whose_metrics_log_alone_failed_is_saved(self):
        store = checkpoints.CheckpointStore(Path(self.get_temp_dir()) / "log")
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(3, kernel_initializer="ones")]
        )
        model.compile("sgd", "mse")

        def fail(step):
            raise LookupError

        log = callbacks.MetricsLog(None, 3, 10, 2, 8, fail)
        saving = callbacks.Checkpointing(
            store,
            tf.train.Checkpoint(model=model),
            every_steps=2,
            last_step=10,
            metadata={},
            metrics_log=log,
        )
        x, y = np.ones([20, 4]), np.ones([20, 3])
        with self.assertRaises(LookupError):
            model.fit(x, y, batch_size=2, verbose=0, callbacks=[log, saving])
        self.assertEqual(saving.save_after_error(), 3)
        self.assertEqual(store.latest(), 3)
        self.assertIsNone(saving.save_after_error())

    def test_run_that_ends_without_its_checkpoint_fails(self):
        with self.assertRaisesRegex(CheckpointWriteError, "step 10 "):
            self.fit({10})
        self.assertEqual(self.store.tried, [2, 4, 6, 8, 10, 10])


if __name__ == "__main__":
    tf.test.main()
