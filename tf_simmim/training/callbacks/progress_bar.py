"""One bar for the whole run: steps, loss, learning rate, images/s, ETA."""

import functools
import os
import sys

from tf_simmim import addons
from tf_simmim.training.surviving_stream import SurvivingStream

_BAR = "{n_fmt}/{total_fmt} {bar} {elapsed}<{remaining}{desc}"
_LINE = "step {n_fmt}/{total_fmt}, {elapsed}<{remaining}{desc}"
_SECONDS_BETWEEN_LINES = 10.0


class ProgressBar(addons.TQDMProgressBar):
    """Shows how far a run is, with its loss, learning rate, images/s and ETA.

    A bar that is redrawn in a terminal; in a log file, one line every ten
    seconds at most. A stream that cannot be written to any more (a full disk, a
    closed terminal, a pipe without a reader) does not end the run.

    Args:
        total_steps: int. Steps of the whole run.
        start_step: int. Steps taken before this process began.
        images_per_step: int. The global batch size.
        learning_rate_fn: callable, updates made so far -> learning rate of
            the next (a Keras schedule is one).
        file: text stream; None for stderr.
        interactive: bool, whether the stream can be redrawn; None to ask the
            stream. (A notebook can, and says that it cannot.)
    """

    def __init__(
        self,
        total_steps,
        start_step,
        images_per_step,
        learning_rate_fn,
        file=None,
        interactive=None,
    ):
        super().__init__()
        self.show_overall_progress = False
        self.run_steps = total_steps
        self.start_step = start_step
        self.images_per_step = images_per_step
        self.learning_rate_fn = learning_rate_fn
        file = SurvivingStream(file or sys.stderr)
        if interactive is None:
            interactive = _can_be_redrawn(file)
        if not interactive:
            self.update_interval = _SECONDS_BETWEEN_LINES
            file = _Lines(file)
        self._new_bar = functools.partial(
            self.tqdm,
            total=total_steps,
            initial=start_step,
            bar_format=_BAR if interactive else _LINE,
            file=file,
            dynamic_ncols=interactive,
            # The parent class decides when to refresh.
            mininterval=0,
            miniters=1,
        )
        self._metrics = {}

    def format_metrics(self, logs=None, factor=1):
        """Returns the text beside the bar; the arguments play no part.

        The parent class passes averages since the start of the epoch. The
        metrics are averages already, over a shorter and more useful time.
        """
        bar = self.epoch_progress_tqdm
        step = self.start_step + self.steps_so_far
        parts = [f"loss {self._metrics['loss']:.4f}"]
        parts.append(f"lr {float(self.learning_rate_fn(step - 1)):.2e}")
        steps_per_second = bar.format_dict["rate"]
        if steps_per_second:
            images = steps_per_second * self.images_per_step
            parts.append(f"{images:.1f} images/s")
        return ", " + ", ".join(parts)

    def _initialize_progbar(self, hook, epoch, logs=None):
        # Replaces the parent's, whose bar begins at step 0 and which prints
        # a heading for every epoch.
        self.num_samples_seen = 0
        self.steps_to_update = 0
        self.steps_so_far = 0
        self.logs = dict.fromkeys(["loss"], 0.0)
        self.mode = "steps"
        self.total_steps = self.run_steps
        if hook == "train_epoch":
            self.epoch_progress_tqdm = self._new_bar()

    def _update_progbar(self, logs):
        self._metrics = {"loss": logs["loss"]}
        super()._update_progbar(self._metrics)

    def _clean_up_progbar(self, hook, logs):
        # Replaces the parent's, which fills the bar although the run may have
        # stopped early.
        if hook != "train_epoch":
            return
        bar = self.epoch_progress_tqdm
        bar.n = self.start_step + self.steps_so_far
        bar.desc = self.format_metrics()
        bar.close()


def _can_be_redrawn(file):
    if not file.isatty():
        return False
    try:
        # A terminal without a width (as containers may have) shows no bar.
        return os.get_terminal_size(file.fileno()).columns > 0
    except OSError:
        return True


class _Lines:
    """Turns the redrawn states of a bar into lines of a log."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        text = text.strip()
        if text:
            self._stream.write(text + "\n")

    def flush(self):
        self._stream.flush()
