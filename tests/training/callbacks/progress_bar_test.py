"""Tests for tf_simmim.training.callbacks.progress_bar."""

import io
import os
import re
from unittest import mock

import numpy as np
import tensorflow as tf

from tf_simmim.training.callbacks import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock(tf.keras.callbacks.Callback):
    """Lets a number of seconds pass before each step, for one callback."""

    def __init__(self, bar, seconds):
        super().__init__()
        self.bar = bar
        self.seconds = seconds

    def on_train_batch_begin(self, batch, logs=None):
        self.bar.last_update_time -= self.seconds


class ProgressBarTest(tf.test.TestCase):
    def fit(self, stream, num_steps=4, seconds_per_step=0.0, **options):
        bar = progress_bar.ProgressBar(
            total_steps=10,
            start_step=6,
            images_per_step=2,
            learning_rate_fn=lambda step: step / 1000,
            file=stream,
            **options,
        )
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(1, kernel_initializer="zeros")]
        )
        model.compile("sgd", "mse")
        model.fit(
            np.zeros([num_steps * 2, 3]),
            np.full([num_steps * 2, 1], 0.5),
            batch_size=2,
            shuffle=False,
            verbose=0,
            callbacks=[Clock(bar, seconds_per_step), bar],
        )
        return stream.getvalue()

    def test_log_file_gets_whole_lines_with_every_figure(self):
        text = self.fit(io.StringIO(), seconds_per_step=11.0)
        self.assertNotIn("\r", text)
        last = text.splitlines()[-1]
        self.assertRegex(
            last,
            r"^step 10/10, 00:\d\d<00:00, loss 0\.2\d+, lr 9\.00e-03, "
            r"\d+\.\d images/s$",
        )

    def test_log_file_is_not_flooded(self):
        text = self.fit(io.StringIO())
        # One line when the bar appears, one when it is over.
        self.assertLen(text.splitlines(), 2)

    def test_log_file_gets_a_line_after_ten_seconds(self):
        text = self.fit(io.StringIO(), seconds_per_step=11.0)
        steps = re.findall(r"^step (\d+)/10", text, flags=re.MULTILINE)
        self.assertEqual(steps, ["6", "7", "8", "9", "10", "10"])

    def test_terminal_gets_one_bar_that_is_redrawn(self):
        text = self.fit(Terminal(), seconds_per_step=1.0)
        self.assertEqual(text.count("\n"), 1)
        self.assertIn("\r6/10 ", text)
        self.assertIn("\r8/10 ", text)
        self.assertRegex(text, r"\r10/10 .*lr 9\.00e-03")

    def test_terminal_without_a_width_gets_lines(self):
        stream = Terminal()
        stream.fileno = lambda: 2
        size = os.terminal_size((0, 0))
        with mock.patch.object(os, "get_terminal_size", return_value=size):
            text = self.fit(stream)
        self.assertNotIn("\r", text)
        self.assertIn("step 10/10", text)

    def test_caller_may_say_that_a_stream_is_interactive(self):
        text = self.fit(io.StringIO(), seconds_per_step=1.0, interactive=True)
        self.assertIn("\r8/10 ", text)

    def test_run_that_stops_early_does_not_fill_the_bar(self):
        text = self.fit(io.StringIO(), num_steps=2)
        self.assertStartsWith(text.splitlines()[-1], "step 8/10")


if __name__ == "__main__":
    tf.test.main()
