"""Ends `fit` after the current step when the process is asked to stop."""

import signal
import threading

import tensorflow as tf
from absl import logging

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class GracefulStop(tf.keras.callbacks.Callback):
    """Turns SIGTERM, SIGINT (Ctrl-C) and SIGHUP into the end of `fit`.

    The current step is finished and `fit` returns, so that `Checkpointing`
    saves and nothing is lost. The program should then exit with `exit_code`.

    SIGHUP comes when the terminal is closed. A signal that the process was
    told to ignore, as `nohup` does with SIGHUP, is ignored here too.

    A second SIGTERM or SIGINT ends the process at once. That does no harm: a
    checkpoint is there as a whole or not at all. SIGHUP counts for neither:
    shell and system both send one to a terminal's programs, and a session that
    ends may send SIGTERM after it.

    The handlers are in place while `fit` runs, and the former ones before and
    after. Keras does not tell its callbacks when `fit` raises, so put it
    inside of a `with` statement, after which the former handlers are back in
    any case:

        stop = GracefulStop()
        with stop:
            model.fit(..., callbacks=[..., stop])

    Python has handlers in its main thread only: in another one, this callback
    does nothing.

    Where several workers train, a signal to any of them ends `fit` on all,
    after the same step and with the same exit code. They ask each other after
    every step.

    Args:
        workers: `training.Workers` of the run, or None for one.

    Attributes:
        exit_code: int or None. 143 after SIGTERM, 130 after SIGINT, 129 after
            SIGHUP (128 + the signal's number, as shells have it); None without
            a signal.
    """

    def __init__(self, workers=None):
        super().__init__()
        self.workers = workers
        self.exit_code = None
        self._own_code = 0
        self._former_handlers = {}
        self._is_announced = False

    def on_train_begin(self, logs=None):
        self.exit_code = None
        self._own_code = 0
        self._is_announced = False
        if threading.current_thread() is not threading.main_thread():
            return
        self._former_handlers = {
            number: signal.signal(number, self._handle)
            for number in _SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }

    def on_train_batch_end(self, batch, logs=None):
        self._agree()
        if self.exit_code is not None and not self._is_announced:
            self._is_announced = True
            self.model.stop_training = True
            logging.warning(
                "Asked to stop: ending after step %d. A second SIGTERM or "
                "Ctrl-C ends the process at once.",
                int(self.model.optimizer.iterations.numpy()),
            )

    def on_train_end(self, logs=None):
        # A signal may come during the last checkpoint.
        self._agree()
        self._restore_handlers()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._restore_handlers()

    def _agree(self):
        code = self._own_code
        if self.workers is not None:
            code = max(self.workers.exchange(code))
        self.exit_code = code or None

    def _restore_handlers(self):
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler)
        self._former_handlers = {}

    def _handle(self, number, frame):
        # As little as possible: Python runs this between any two bytecodes,
        # in the middle of a log line too.
        self._own_code = 128 + number
        for each in self._former_handlers:
            if each == signal.SIGHUP:
                signal.signal(each, signal.SIG_IGN)
            elif number != signal.SIGHUP:
                signal.signal(each, signal.SIG_DFL)
