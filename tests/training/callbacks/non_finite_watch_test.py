"""Tests for tf_simmim.training.callbacks.non_finite_watch.

With a real SimMIM, stream and checkpoints: what a run does when an image
turns its numbers bad.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim import training
from tf_simmim.training import callbacks

B, H, W, C = 2, 16, 24, 3
NUM_IMAGES = 14


class Spoiling:
    """A transform that turns images of one colour value into NaN."""

    def __init__(self, values):
        self.values = values

    def __call__(self, image, seed):
        is_bad = tf.reduce_any(image[0, 0, 0] == self.values)
        return tf.where(is_bad, np.nan, tf.cast(image, tf.float32))


def create_stream(bad_images, labels=None):
    """Returns a stream in the order of its images; image i has the value i."""
    images = np.random.default_rng(0).integers(100, 256, [NUM_IMAGES, H, W, C])
    images[:, 0, 0] = np.arange(NUM_IMAGES)[:, None]
    return data.ImageStream(
        data.ArraySource(images.astype(np.uint8), labels),
        Spoiling(np.array(bad_images, np.uint8)),
        data.Normalization(),
        masking.RandomPatchMask((H, W), 8, 8, 0.5),
        shuffle=False,
    )


def create_model():
    tf.keras.utils.set_random_seed(1)
    backbone = backbones.ViT(
        (H, W), patch_size=8, embed_dim=6, depth=1, num_heads=3
    )
    model = models.SimMIM(backbone, mask_patch_size=8, mask_ratio=0.5)
    optimizer = optimization.create_optimizer("adamw", model, 1e-2)
    # A trace takes longer than a few steps.
    model.compile(optimizer, run_eagerly=True)
    return model


class NonFiniteWatchTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.fresh_directory()

    def fresh_directory(self):
        return Path(tempfile.mkdtemp(dir=self.get_temp_dir()))

    def train(self, stream, last_step, directory=None, total_steps=7):
        """What a program does each time it is started."""
        directory = directory or self.directory
        model = create_model()
        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        store = training.CheckpointStore(directory / "checkpoints")
        start = 0
        if store.latest() is not None:
            start = store.restore(checkpoint)["step"]
        model.fit(
            stream.batches(B, start_index=start * B),
            steps_per_epoch=last_step - start,
            verbose=0,
            callbacks=[
                callbacks.Checkpointing(store, checkpoint, 100, last_step, {}),
                callbacks.NonFiniteWatch(
                    directory / "skipped.jsonl", stream, B, total_steps
                ),
            ],
        )
        return model

    def rows(self, directory=None):
        text = ((directory or self.directory) / "skipped.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    @parameterized.parameters(
        (None, [], False), ([0] * NUM_IMAGES, [], True), ([0] * 14, [2], False)
    )
    def test_a_label_is_suspected_where_no_image_is(self, labels, bad, is_so):
        file = self.fresh_directory() / "skipped.jsonl"
        stream = create_stream(bad, labels)
        watch = callbacks.NonFiniteWatch(file, stream, B, 7)
        with self.assertLogs("absl", "ERROR") as logs:
            watch._report(2)
        hint = "Or a label of theirs is no class."
        self.assertEqual(hint in logs.output[0], is_so)

    @pytest.mark.slow
    def test_names_step_and_images_and_goes_on(self):
        with self.assertLogs("absl", "ERROR") as logs:
            model = self.train(create_stream([5, 8]), last_step=7)
        self.assertLen(logs.output, 2)
        self.assertRegex(
            logs.output[0],
            "Step 3 was skipped: .* 4, 5; .* in the image itself: 5",
        )
        self.assertEqual(
            self.rows(),
            [
                {"step": 3, "indices": [4, 5], "non_finite_images": [5]},
                {"step": 5, "indices": [8, 9], "non_finite_images": [8]},
            ],
        )
        self.assertEqual(int(model.optimizer.iterations), 7)

    def test_without_a_fault_there_is_no_file(self):
        self.train(create_stream([]), last_step=3)
        self.assertFalse((self.directory / "skipped.jsonl").exists())

    def test_five_in_a_row_stop_the_run_after_a_checkpoint(self):
        stream = create_stream([2, 4, 6, 8, 10])
        with self.assertRaisesRegex(
            training.NonFiniteStepsError,
            "after step 6: .* in 5 steps, the last 5 in a row",
        ):
            self.train(stream, last_step=7)
        store = training.CheckpointStore(self.directory / "checkpoints")
        self.assertEqual(store.latest(), 6)

    @pytest.mark.slow
    def test_four_in_a_row_do_not_stop_it(self):
        model = self.train(create_stream([2, 4, 6, 8]), last_step=7)
        self.assertEqual(model.skipped_steps.count(), 4)

    @parameterized.parameters((6_999, 6), (7_000, 7))
    @pytest.mark.slow
    def test_a_thousandth_of_all_steps_stops_the_run(self, total, limit):
        stream = create_stream([0, 4, 6, 8])  # 4 of 7 steps, again and again
        with self.assertRaisesRegex(
            training.NonFiniteStepsError, f"in {limit} steps"
        ):
            self.train(stream, last_step=30, total_steps=total)

    @pytest.mark.slow
    def test_a_run_interrupted_around_a_fault_ends_the_same(self):
        stream = create_stream([3, 5, 8])  # steps 2, 3 and 5
        whole = self.train(stream, last_step=7)
        want = self.rows()
        for stop in (2, 4):  # between two in a row, and after them
            directory = self.fresh_directory()
            self.train(stream, stop, directory)
            resumed = self.train(stream, 7, directory)
            self.assertEqual(self.rows(directory), want)
            for a, b in zip(
                [*whole.weights, *whole.optimizer.variables],
                [*resumed.weights, *resumed.optimizer.variables],
                strict=True,
            ):
                np.testing.assert_array_equal(a.numpy(), b.numpy(), a.name)

    @pytest.mark.slow
    def test_a_fault_that_was_saved_and_not_reported_is_reported_later(self):
        """As when the process is killed between checkpoint and row."""
        stream = create_stream([3, 5])
        self.train(stream, last_step=3)
        want = self.rows()
        (self.directory / "skipped.jsonl").write_text(
            json.dumps(want[0]) + "\n"
        )
        with self.assertLogs("absl", "ERROR") as logs:
            self.train(stream, last_step=4)
        self.assertLen(logs.output, 1)
        self.assertEqual(self.rows(), want)

    @pytest.mark.slow
    def test_rows_past_the_checkpoint_are_written_again(self):
        stream = create_stream([3, 5, 8])
        self.train(stream, last_step=2)
        late = {"step": 6, "indices": [], "non_finite_images": []}
        with open(self.directory / "skipped.jsonl", "a") as file:
            file.write(json.dumps(late) + "\n")
        self.train(stream, last_step=7)
        self.assertEqual([row["step"] for row in self.rows()], [2, 3, 5])


if __name__ == "__main__":
    tf.test.main()
