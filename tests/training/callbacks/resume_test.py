"""An interrupted run must end exactly as one that was never interrupted.

Covers tf_simmim.training.callbacks.checkpointing and metrics_log together,
with a real SimMIM.
"""

import contextlib
import json
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.training import callbacks
from tf_simmim.training import checkpoints

B, H, W, C = 2, 16, 24, 3
LAST_STEP = 13
DETERMINISTIC = (
    "step",
    "epoch",
    "loss",
    "gradient_norm",
    "skipped_steps",
    "learning_rate",
    "validation_loss",
)


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


def make_model():
    tf.keras.utils.set_random_seed(1)
    backbone = backbones.ViT(
        image_size=(H, W),
        patch_size=8,
        embed_dim=6,
        depth=1,
        num_heads=3,
        relative_position="none",
    )
    model = models.SimMIM(backbone, mask_patch_size=8, seed=4)
    model.compile(tf.keras.optimizers.AdamW(make_schedule()))
    model.optimizer.build(model.trainable_variables)
    return model


def images(num_batches, seed):
    generator = np.random.default_rng(seed)
    shape = [num_batches, B, H, W, C]
    return generator.normal(size=shape).astype(np.float32)


def make_schedule():
    return tf.keras.optimizers.schedules.PolynomialDecay(1e-2, 20)


def train(directory, stop_at=None, politely=False):
    """What a program does each time it is started with the same command."""
    model = make_model()
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    store = checkpoints.CheckpointStore(directory / "checkpoints")
    start = 0
    if store.latest() is not None:
        start = store.restore(checkpoint)["step"]
    stream = tf.data.Dataset.from_tensor_slices(images(LAST_STEP, seed=2))
    validation = tf.data.Dataset.from_tensor_slices(images(3, seed=3))
    log = callbacks.MetricsLog(
        directory / "metrics.jsonl",
        every_steps=4,
        last_step=LAST_STEP,
        images_per_step=B,
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


def rows(directory):
    text = (directory / "metrics.jsonl").read_text()
    return [
        {
            key: value
            for key, value in json.loads(line).items()
            if key in DETERMINISTIC
        }
        for line in text.splitlines()
    ]


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
    def test_stopped_and_resumed_run_is_bit_identical(self, stops, politely):
        for stop in stops:
            expected = contextlib.nullcontext()
            if not politely:
                expected = self.assertRaises(PowerCut)
            with expected:
                train(self.directory, stop, politely)
        model = train(self.directory)
        self.assertEqual(rows(self.directory), rows(self.whole))
        self.assert_same_bits(model.variables, self.whole_model.variables)
        self.assert_same_bits(
            model.optimizer.variables, self.whole_model.optimizer.variables
        )

    def test_whole_run_has_a_row_per_interval_and_for_the_end(self):
        steps = [row["step"] for row in rows(self.whole)]
        self.assertEqual(steps, [4, 8, 12, LAST_STEP])
        validated = ["validation_loss" in row for row in rows(self.whole)]
        self.assertEqual(validated, [False, True, False, True])

    def test_whole_run_has_a_checkpoint_per_interval_and_for_the_end(self):
        names = [p.name for p in (self.whole / "checkpoints").iterdir()]
        self.assertCountEqual(
            names, ["step-00000005", "step-00000010", "step-00000013"]
        )

    def test_metadata_reaches_the_manifest(self):
        file = self.whole / "checkpoints/step-00000013/manifest.json"
        self.assertEqual(json.loads(file.read_text())["metadata"], {"seed": 4})

    def test_early_stop_leaves_a_checkpoint_and_no_row(self):
        train(self.directory, stop_at=6, politely=True)
        store = checkpoints.CheckpointStore(self.directory / "checkpoints")
        self.assertEqual(store.latest(), 6)
        self.assertEqual([row["step"] for row in rows(self.directory)], [4])

    def test_metrics_of_an_evaluation_do_not_leak_into_a_fresh_run(self):
        model = make_model()
        checkpoint = tf.train.Checkpoint(model=model)
        store = checkpoints.CheckpointStore(self.directory)
        model.evaluate(images(3, seed=5)[0] + 100.0, verbose=0)
        saving = callbacks.Checkpointing(store, checkpoint, 1, 1, {})
        history = model.fit(images(1, seed=2)[0], verbose=0, callbacks=[saving])
        self.assertLess(history.history["loss"][0], 5.0)


if __name__ == "__main__":
    tf.test.main()
