"""A bar of tqdm, for Python versions that tensorflow-addons does not run on."""

import time

import tensorflow as tf
import tqdm.auto


class TQDMProgressBar(tf.keras.callbacks.Callback):
    """Counts the steps of a `fit`, and redraws a bar now and then.

    A subclass makes the bar, words what stands beside it and ends it, as one
    of tensorflow-addons' class of this name can:

    * `_initialize_progbar(hook, epoch, logs)`: sets `epoch_progress_tqdm`, and
      the counters `steps_so_far` and `steps_to_update` to 0.
    * `_clean_up_progbar(hook, logs)`: ends the bar.
    * `format_metrics()`: returns what stands beside it.

    `hook` is "train_overall" for the whole of training, "train_epoch" for an
    epoch of it. Evaluation has no bar.

    Attributes:
        tqdm: class of the bars: of a notebook where there is one.
        update_interval: float, seconds. A bar is redrawn no sooner than this
            after the time before. Default: 0.1, as in tensorflow-addons.
        last_update_time: float, seconds, `time.time()` of that time.
    """

    def __init__(self):
        super().__init__()
        self.tqdm = tqdm.auto.tqdm
        self.update_interval = 0.1
        self.last_update_time = time.time()

    def on_train_begin(self, logs=None):
        self._initialize_progbar("train_overall", None, logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._initialize_progbar("train_epoch", epoch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._update_progbar(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._clean_up_progbar("train_epoch", logs)

    def on_train_end(self, logs=None):
        self._clean_up_progbar("train_overall", logs)

    def _update_progbar(self, logs):
        self.steps_so_far += 1
        self.steps_to_update += 1
        now = time.time()
        if now - self.last_update_time < self.update_interval:
            return
        bar = self.epoch_progress_tqdm
        bar.desc = self.format_metrics()
        bar.update(self.steps_to_update)
        self.steps_to_update = 0
        self.last_update_time = now
