"""Tests for tf_simmim.training.callbacks.graceful_stop.

Stopping a whole run with it: see tests/integration/stop_test.py.
"""

import os
import pathlib
import signal
import subprocess
import sys
import threading

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.training import callbacks

# A `fit` whose end takes forever, as if a save hung on a dead disk.
_HANGING_FIT = """
import signal
import time
from tests.training.callbacks import graceful_stop_test
import tensorflow as tf
from tf_simmim.training import callbacks

class Hang(tf.keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print("hanging", flush=True)
        time.sleep(600)

graceful_stop_test.fit(
    graceful_stop_test.Kill(signal.SIGTERM, batch=0),
    callbacks.GracefulStop(),
    Hang(),
)
"""
ROOT = pathlib.Path(__file__).parents[3]
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


class Kill(tf.keras.callbacks.Callback):
    """Sends this process a signal at the start of a step."""

    def __init__(self, number, batch):
        super().__init__()
        self.number = number
        self.batch = batch
        self.handlers = None

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.batch:
            os.kill(os.getpid(), self.number)
            self.handlers = handlers()


class Raise(tf.keras.callbacks.Callback):
    """Fails in one of the methods of a callback."""

    def __init__(self, where):
        super().__init__()
        setattr(self, where, self.fail)

    def fail(self, *args, **kwargs):
        raise OSError("the disk on fire")


def fit(*fit_callbacks):
    """Returns how many of 5 steps were taken."""
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(3, kernel_initializer="ones")]
    )
    model.compile("sgd", "mse")
    x = np.ones([10, 4], np.float32)
    y = np.ones([10, 3], np.float32)
    model.fit(x, y, batch_size=2, verbose=0, callbacks=list(fit_callbacks))
    return int(model.optimizer.iterations)


class GracefulStopTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)
    )
    def test_step_is_finished_and_the_code_remembered(self, number, code):
        stop = callbacks.GracefulStop()
        kill = Kill(number, batch=2)
        with self.assertLogs("absl", "WARNING") as logs:
            self.assertEqual(fit(kill, stop), 3)
        self.assertEqual(stop.exit_code, code)
        self.assertLen(logs.output, 1)
        self.assertIn("ending after step 3", logs.output[0])

    def test_a_signal_to_another_worker_ends_fit_with_its_code(self):
        class Workers:
            steps = 0

            def exchange(self, number):
                self.steps += 1
                return [number, 143 if self.steps >= 2 else 0]

        stop = callbacks.GracefulStop(Workers())
        self.assertEqual(fit(stop), 2)
        self.assertEqual(stop.exit_code, 143)

    def test_a_signal_while_the_last_checkpoint_is_saved_is_remembered(self):
        class KillAtEnd(tf.keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                os.kill(os.getpid(), signal.SIGTERM)

        stop = callbacks.GracefulStop()
        self.assertEqual(fit(KillAtEnd(), stop), 5)
        self.assertEqual(stop.exit_code, 143)

    def test_second_signal_ends_a_process_that_hangs(self):
        process = subprocess.Popen(
            [sys.executable, "-c", _HANGING_FIT],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "hanging\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), -signal.SIGINT)

    @parameterized.parameters(signal.SIGTERM, signal.SIGINT)
    def test_after_one_signal_a_second_ends_it_unless_it_is_a_hangup(
        self, number
    ):
        kill = Kill(number, batch=1)
        fit(kill, callbacks.GracefulStop())
        ends = [signal.SIG_DFL, signal.SIG_DFL, signal.SIG_IGN]
        self.assertEqual(kill.handlers, ends)

    def test_after_a_hangup_the_first_signal_does_not_end_it_at_once(self):
        """As a session sends both when it ends."""
        stop = callbacks.GracefulStop()
        signals = Kill(signal.SIGHUP, batch=1), Kill(signal.SIGTERM, batch=1)
        self.assertEqual(fit(*signals, stop), 2)
        self.assertEqual(stop.exit_code, 143)
        ends = [signal.SIG_DFL, signal.SIG_DFL, signal.SIG_IGN]
        self.assertEqual(signals[1].handlers, ends)

    def test_a_terminal_that_hangs_up_twice_ends_after_the_step(self):
        stop = callbacks.GracefulStop()
        hangups = [Kill(signal.SIGHUP, batch=2) for _ in range(2)]
        self.assertEqual(fit(*hangups, stop), 3)
        self.assertEqual(stop.exit_code, 129)

    @parameterized.parameters(*SIGNALS)
    def test_a_signal_that_was_ignored_before_stays_so(self, number):
        before = signal.signal(number, signal.SIG_IGN)
        self.addCleanup(signal.signal, number, before)
        stop = callbacks.GracefulStop()
        self.assertEqual(fit(Kill(number, batch=1), stop), 5)
        self.assertIsNone(stop.exit_code)
        self.assertEqual(signal.getsignal(number), signal.SIG_IGN)

    def test_former_handlers_are_back_after_fit(self):
        before = handlers()
        fit(callbacks.GracefulStop())
        self.assertEqual(handlers(), before)
        fit(callbacks.GracefulStop(), Kill(signal.SIGTERM, batch=0))
        self.assertEqual(handlers(), before)

    @parameterized.parameters(
        ("on_train_batch_end", None),
        ("on_epoch_end", None),
        ("on_train_end", None),
        ("on_train_batch_end", signal.SIGTERM),
    )
    def test_former_handlers_are_back_when_fit_raises(self, where, number):
        stop = callbacks.GracefulStop()
        others = [] if number is None else [Kill(number, batch=0)]
        before = handlers()
        with self.assertRaisesRegex(OSError, "disk on fire"):
            with stop:
                fit(*others, Raise(where), stop)
        self.assertEqual(handlers(), before)
        # And it works again, with nothing left of the first time.
        with stop:
            self.assertEqual(fit(stop), 5)
        self.assertIsNone(stop.exit_code)
        self.assertEqual(handlers(), before)

    def test_without_a_signal_all_steps_are_taken(self):
        stop = callbacks.GracefulStop()
        self.assertEqual(fit(stop), 5)
        self.assertIsNone(stop.exit_code)

    def test_second_fit_starts_with_a_clean_slate(self):
        stop = callbacks.GracefulStop()
        fit(stop, Kill(signal.SIGTERM, batch=0))
        self.assertEqual(fit(stop), 5)
        self.assertIsNone(stop.exit_code)

    def test_in_another_thread_it_does_nothing(self):
        steps = []
        thread = threading.Thread(
            target=lambda: steps.append(fit(callbacks.GracefulStop()))
        )
        thread.start()
        thread.join()
        self.assertEqual(steps, [5])


if __name__ == "__main__":
    tf.test.main()
