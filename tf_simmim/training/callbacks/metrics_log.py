"""Metrics of every logging interval, for machines and for TensorBoard."""

import time

import tensorflow as tf

from tf_simmim.training import files
from tf_simmim.training import json_lines
from tf_simmim.training.callbacks.step_callback import StepCallback


class MetricsLog(StepCallback):
    """Writes one row per logging interval to metrics.jsonl and TensorBoard.

    A row holds `step`, `epoch`, the model's metrics (`loss`,
    `gradient_norm`, `skipped_steps`), `learning_rate`, `images_per_second`
    and `seconds`. Loss and norm are the means over the interval: the callback
    resets them at its end; `skipped_steps` counts from the start of the run.
    `learning_rate` is the one of the latest update. `images_per_second` leaves
    out the first step of a process, which compiles, and validation. `seconds`
    is the wall time of training so far, over all restarts. A number that is
    not finite is null.

    A held-out data set, if given, is evaluated after the training metrics
    were read and reset, and adds what `evaluate` returns to the row, as
    `validation_loss` and so on; so does `online_evaluation` with what it
    returns. Both also add to the logs, for the callbacks that come after this
    one.

    When training begins, rows past the model's step are cut off: they were
    written after the checkpoint from which the run continues, and will be
    written again. Put this callback before `Checkpointing`, so that a
    checkpoint of the same step holds metrics that are already reset.

    Args:
        metrics_file: path of metrics.jsonl; None to write nothing, on a
            worker that only takes part in what all have to do.
        every_steps: int >= 1. Length of the interval.
        last_step: int. Step at which the run is over; it gets a row too,
            over the part of the interval that there was, and leaves the
            metrics as they are: a run that is made longer goes on with that
            interval. A run that stops before gets no row there.
        images_per_step: int. The global batch size.
        images_per_epoch: int. Images in the training set.
        learning_rate_fn: callable, updates made so far -> learning rate of
            the next (a Keras schedule is one).
        summary_writer: tf.summary.SummaryWriter or None (no TensorBoard).
        validation: finite tf.data.Dataset of elements, or None; or a
            distributed one.
        validation_every_steps: int, a multiple of `every_steps`; None for the
            last step only.
        validation_steps: int. Batches in `validation`, which Keras has to be
            told of a distributed data set; None for all of another.
        online_evaluation: callable, (model, step) -> {name: float}, such as
            `OnlineEvaluation`, or None. Asked for every row.

    Raises:
        ValueError: `validation_every_steps` is not a multiple of
            `every_steps`.

    Files: owns `metrics_file`; each row is flushed to the disk. On a full
        disk, rows wait for the next interval.
    """

    def __init__(
        self,
        metrics_file,
        every_steps,
        last_step,
        images_per_step,
        images_per_epoch,
        learning_rate_fn,
        summary_writer=None,
        validation=None,
        validation_every_steps=None,
        validation_steps=None,
        online_evaluation=None,
    ):
        super().__init__(every_steps, last_step)
        if validation_every_steps and validation_every_steps % every_steps:
            raise ValueError(
                "`validation_every_steps` must be a multiple of `every_steps`. "
                f"Received: {validation_every_steps} and {every_steps}."
            )
        self._file = metrics_file and json_lines.JsonLines(metrics_file)
        self.images_per_step = images_per_step
        self.images_per_epoch = images_per_epoch
        self.learning_rate_fn = learning_rate_fn
        self.summary_writer = summary_writer
        self.validation = validation
        self.validation_every_steps = validation_every_steps
        self.validation_steps = validation_steps
        self.online_evaluation = online_evaluation

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        rows = []
        if self._file:
            self._file.restart(self.step)
            rows = self._file.rows(self.step)
        seconds_before = rows[-1]["seconds"] if rows else 0.0
        self._training_began = time.monotonic() - seconds_before
        self._interval_began = None

    def on_train_batch_end(self, batch, logs=None):
        if self._interval_began is None:
            self._begin_interval()
        super().on_train_batch_end(batch, logs)

    def at_step(self, step, logs):
        now = time.monotonic()
        images = (step - self._interval_first_step) * self.images_per_step
        row = {
            "step": step,
            "epoch": step * self.images_per_step / self.images_per_epoch,
            **{name: float(value) for name, value in logs.items()},
            "learning_rate": float(self.learning_rate_fn(step - 1)),
            "images_per_second": None,
            "seconds": now - self._training_began,
        }
        if images:
            row["images_per_second"] = images / (now - self._interval_began)
        ends_inside_interval = (
            step == self.last_step and step % self.every_steps
        )
        if not ends_inside_interval:
            self.model.reset_metrics()
        measured = {}
        if self._is_validation_due(step):
            measured.update(self._validate())
        if self.online_evaluation is not None:
            measured.update(self.online_evaluation(self.model, step))
        logs.update(measured)
        row.update(measured)
        self._write(row)
        self._begin_interval()

    def _begin_interval(self):
        self._interval_began = time.monotonic()
        self._interval_first_step = self.step

    def _is_validation_due(self, step):
        if self.validation is None:
            return False
        every = self.validation_every_steps
        return step == self.last_step or bool(every and step % every == 0)

    def _validate(self):
        # `evaluate` resets the metrics, and puts its own record in the place
        # of what `fit` will return.
        history = self.model.history
        variables = [v for m in self.model.metrics for v in m.variables]
        values = [v.numpy() for v in variables]
        result = self.model.evaluate(
            self.validation,
            steps=self.validation_steps,
            verbose=0,
            return_dict=True,
        )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.model.history = history
        return {f"validation_{n}": float(v) for n, v in result.items()}

    def _write(self, row):
        if self._file:
            self._file.append(row)
        if self.summary_writer is None:
            return
        with files.survive_full_disk(f"step {row['step']} for TensorBoard"):
            with self.summary_writer.as_default(step=row["step"]):
                for name, value in row.items():
                    if name != "step" and value is not None:
                        tf.summary.scalar(name, value)
            self.summary_writer.flush()
