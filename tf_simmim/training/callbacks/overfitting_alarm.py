"""An alarm for runs that learn their images by heart."""

import math

from absl import logging

from tf_simmim.run import json_lines
from tf_simmim.training.callbacks.step_callback import StepCallback


class OverfittingAlarm(StepCallback):
    """Logs one warning when held-out images get worse, and others better.

    The held-out reconstruction loss has its lowest value so far at one of its
    measurements. When it stays above that by more than `tolerance`, for
    `patience` measurements in a row, while the training loss is below what it
    was then, the model has begun to memorise its images.

    Put it after `MetricsLog`, which measures the held-out loss and leaves it
    in the logs as `validation_loss`. A run that goes on in a new process is
    read up in `metrics_file`, so that the warning does not come twice.

    Args:
        every_steps: int >= 1. The logging interval.
        tolerance: float >= 0. How far above its minimum the held-out loss may
            be, relative to it; in two runs on digits that did not memorise
            it was 0.01 above at most.
        patience: int >= 1. Measurements.
        metrics_file: path of metrics.jsonl, its `JsonLines`, or None to begin
            with nothing.
        first_step: int >= 0. Rows up to this step do not count: their images
            or masks were others, and so were their losses.
        last_step: int or None. The step at which the run is over.

    Raises:
        ValueError: `tolerance` is negative, or `patience` below 1.
    """

    def __init__(
        self,
        every_steps,
        tolerance=0.03,
        patience=3,
        metrics_file=None,
        first_step=0,
        last_step=None,
    ):
        super().__init__(every_steps, last_step)
        if not tolerance >= 0 or patience < 1:
            raise ValueError(
                "`tolerance` must not be negative, and `patience` at least 1. "
                f"Received: tolerance={tolerance}, patience={patience}."
            )
        self.tolerance = tolerance
        self.patience = patience
        self.metrics_file = metrics_file
        self.first_step = first_step
        self._begin()

    def _begin(self):
        self._best = None  # step, held-out loss, training loss
        self._times_above = 0
        self._has_fired = False

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self.metrics_file is None:
            return
        self._begin()
        for row in json_lines.JsonLines.of(self.metrics_file).rows(self.step):
            # A run that was made longer has a row inside an interval where
            # it ended before.
            is_due = row["step"] % self.every_steps == 0
            if is_due and row["step"] > self.first_step:
                self._fires(
                    row["step"], row.get("validation_loss"), row.get("loss")
                )

    def at_step(self, step, logs):
        held_out, training = logs.get("validation_loss"), logs["loss"]
        if self._fires(step, held_out, training):
            best_step, best, training_then = self._best
            logging.warning(
                "Step %d: the held-out reconstruction loss has risen from "
                "%.4f at step %d to %.4f, while the training loss fell from "
                "%.4f to %.4f: the model learns its images by heart. What it "
                "knew at step %d was better; more images help most, then "
                "stronger augmentation (--crop_scale), a larger --mask_ratio, "
                "--drop_path_rate, a smaller backbone or fewer "
                "--train_epochs.",
                step,
                best,
                best_step,
                held_out,
                training_then,
                training,
                best_step,
            )

    def _fires(self, step, held_out, training):
        """Counts a measurement, and tells whether it is the one to report."""
        # None: not measured at this step; or not finite, in the file.
        if None in (held_out, training) or not math.isfinite(held_out):
            return False
        if self._best is None or held_out < self._best[1]:
            self._best = (step, held_out, training)
        _, best, training_then = self._best
        is_above = (
            held_out > (1 + self.tolerance) * best and training < training_then
        )
        self._times_above = self._times_above + 1 if is_above else 0
        fires = not self._has_fired and self._times_above >= self.patience
        self._has_fired |= fires
        return fires
