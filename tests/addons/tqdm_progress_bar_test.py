"""Tests for tf_simmim.addons.tqdm_progress_bar.

What a bar of the product shows is in tests/training/callbacks.
"""

import importlib.util
import io
import time
from unittest import mock

import tensorflow as tf
import tqdm.std
from absl.testing import parameterized

from tf_simmim import addons
from tf_simmim.addons import tqdm_progress_bar
from tf_simmim.training.callbacks import progress_bar


class Clock:
    """A time that goes on by so many seconds with each step."""

    def __init__(self, seconds):
        self.now = 1000.0
        self.seconds = seconds

    def __call__(self):
        return self.now

    def step(self):
        self.now += self.seconds


def bar_class(has_originals):
    """Returns the product's bar, over either parent."""
    with mock.patch.object(addons, "HAS_ORIGINALS", has_originals):
        spec = importlib.util.spec_from_file_location(
            "copy", progress_bar.__file__
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module.ProgressBar


def written(cls, seconds, interactive):
    """Returns what a bar writes in two epochs of a run, of 5 and 3 steps."""
    clock, stream = Clock(seconds), io.StringIO()
    with (
        mock.patch.object(time, "time", clock),
        mock.patch.object(tqdm.std, "time", clock),
    ):
        bar = cls(12, 4, 2, lambda step: step / 1000, stream, interactive)
        bar.set_params({"epochs": 2, "steps": 5})
        bar.on_train_begin({})
        for epoch, num_steps in enumerate((5, 3)):
            bar.on_epoch_begin(epoch, {})
            for step in range(num_steps):
                clock.step()
                bar.on_train_batch_end(step, {"loss": 1 / (1 + step)})
            bar.on_epoch_end(epoch, {})
        bar.on_train_end({})
    return stream.getvalue()


class TQDMProgressBarTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(
        seconds=(0.03, 0.3, 4.0, 11.0), interactive=(True, False)
    )
    def test_what_is_written_is_what_the_original_writes(
        self, seconds, interactive
    ):
        if not addons.HAS_ORIGINALS:
            self.skipTest("tensorflow-addons exists up to Python 3.11.")
        ours = written(bar_class(False), seconds, interactive)
        theirs = written(bar_class(True), seconds, interactive)
        self.assertEqual(ours, theirs)
        self.assertIn("loss", ours)

    def test_a_bar_is_redrawn_ten_times_a_second_at_most(self):
        slow, fast = (
            written(bar_class(False), seconds, True).count("\r")
            for seconds in (0.3, 0.03)
        )
        # Of 8 steps, 3 lie more than 0.1 s after the redrawing before.
        self.assertEqual(slow - fast, 8 - 2)

    def test_parent_of_the_product_s_bar_is_the_one_of_addons(self):
        self.assertTrue(
            issubclass(bar_class(False), tqdm_progress_bar.TQDMProgressBar)
        )
        self.assertIs(progress_bar.ProgressBar.__base__, addons.TQDMProgressBar)


if __name__ == "__main__":
    tf.test.main()
