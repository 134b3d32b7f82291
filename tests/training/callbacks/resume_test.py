"""An interrupted run must end exactly as one that was never interrupted.

Covers tf_simmim.training.callbacks.checkpointing and metrics_log together,
with a real SimMIM.
"""

import contextlib
import json
import tempfile
from pathlib import Path

import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.integration import programs
from tests.training import tiny_simmim
from tf_simmim.training import callbacks
from tf_simmim.training import checkpoints

LAST_STEP = 13


class PowerCut(Exception):
    pass


class StopAt(tf.keras.callbacks.Callback):
    """Ends the process, rudely or politely, at a step."""

    def __init__(self, step, politely):
        super().__init__()
        self.step = step
        self.politely = politely

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) != self.step:
            return
        if not self.politely:
            raise PowerCut
        self.model.stop_training = True


def make_schedule():
    return tf.keras.optimizers.schedules.PolynomialDecay(1e-2, 20)


def train(directory, stop_at=None, politely=False):
    """What a program does each time it is started with the same command."""
    model = tiny_simmim.create(make_schedule())
    model.run_eagerly = True  # a trace takes longer than all steps
    checkpoint = tiny_simmim.checkpoint(model)
    store = checkpoints.CheckpointStore(directory / "checkpoints")
    start = 0
    if store.latest() is not None:
        start = store.restore(checkpoint)["step"]
    stream = tf.data.Dataset.from_tensor_slices(
        tiny_simmim.images(LAST_STEP, seed=2)
    )
    validation = tf.data.Dataset.from_tensor_slices(
        tiny_simmim.images(3, seed=3)
    )
    log = callbacks.MetricsLog(
        directory / "metrics.jsonl",
        every_steps=4,
        last_step=LAST_STEP,
        images_per_step=tiny_simmim.B,
        images_per_epoch=7,
        learning_rate_fn=make_schedule(),
        validation=validation,
        validation_every_steps=8,
    )
    saving = callbacks.Checkpointing(
        store, checkpoint, 5, LAST_STEP, {"seed": 4}
    )
    stop = [] if stop_at is None else [StopAt(stop_at, politely)]
    model.fit(
        stream.skip(start),
        steps_per_epoch=LAST_STEP - start,
        epochs=1,
        verbose=0,
        callbacks=[*stop, log, saving],
    )
    return model


class ResumeTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.whole = Path(directory.name)
        cls.whole_model = train(cls.whole)

    def setUp(self):
        super().setUp()
        self.directory = Path(self.get_temp_dir())

    def assert_same_bits(self, variables, expected):
        self.assertEqual(len(variables), len(expected))
        for got, want in zip(variables, expected, strict=True):
            self.assertEqual(got.numpy().tobytes(), want.numpy().tobytes())

    @parameterized.parameters(
        # Before the first checkpoint; in the interval 5..8 after checkpoint
        # 5; and past row 8, which was written after checkpoint 5.
        ([3, 6, 9], False),
        ([6], True),
    )
    @pytest.mark.slow
    def test_stopped_and_resumed_run_is_bit_identical(self, stops, politely):
        for stop in stops:
            expected = contextlib.nullcontext()
            if not politely:
                expected = self.assertRaises(PowerCut)
            with expected:
                train(self.directory, stop, politely)
        model = train(self.directory)
        self.assertEqual(
            programs.rows(self.directory), programs.rows(self.whole)
        )
        self.assert_same_bits(model.variables, self.whole_model.variables)
        self.assert_same_bits(
            model.optimizer.variables, self.whole_model.optimizer.variables
        )

    def test_whole_run_has_a_row_per_interval_and_for_the_end(self):
        steps = [row["step"] for row in programs.rows(self.whole)]
        self.assertEqual(steps, [4, 8, 12, LAST_STEP])
        validated = [
            "validation_loss" in row for row in programs.rows(self.whole)
        ]
        self.assertEqual(validated, [False, True, False, True])

    def test_whole_run_has_a_checkpoint_per_interval_and_for_the_end(self):
        names = [p.name for p in (self.whole / "checkpoints").iterdir()]
        self.assertCountEqual(
            names, ["step-00000005", "step-00000010", "step-00000013"]
        )

    def test_metadata_reaches_the_manifest(self):
        file = self.whole / "checkpoints/step-00000013/manifest.json"
        self.assertEqual(json.loads(file.read_text())["metadata"], {"seed": 4})

    @pytest.mark.slow
    def test_early_stop_leaves_a_checkpoint_and_no_row(self):
        train(self.directory, stop_at=6, politely=True)
        store = checkpoints.CheckpointStore(self.directory / "checkpoints")
        self.assertEqual(store.latest(), 6)
        self.assertEqual(
            [row["step"] for row in programs.rows(self.directory)], [4]
        )

    @pytest.mark.slow
    def test_metrics_of_an_evaluation_do_not_leak_into_a_fresh_run(self):
        model = tiny_simmim.create(make_schedule())
        checkpoint = tf.train.Checkpoint(model=model)
        store = checkpoints.CheckpointStore(self.directory)
        model.evaluate(tiny_simmim.images(3, seed=5)[0] + 100.0, verbose=0)
        saving = callbacks.Checkpointing(store, checkpoint, 1, 1, {})
        (images,) = tiny_simmim.images(1, seed=2)
        history = model.fit(images, verbose=0, callbacks=[saving])
        self.assertLess(history.history["loss"][0], 5.0)


if __name__ == "__main__":
    tf.test.main()
