"""Metrics of every logging interval, for machines and for TensorBoard."""

import contextlib
import time

import tensorflow as tf

from tf_simmim.run import json_lines
from tf_simmim.run.dispensable import going_on_without
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

    A row that cannot be written, a failing TensorBoard and, on one worker, a
    failing `online_evaluation` are a line in the log each. An error in
    validation is raised, with the metrics as they were: a checkpoint that is
    saved then owes the row, which is made when training goes on from it. At
    `last_step`, where it does not go on, the row is written without.

    Args:
        metrics_file: path of metrics.jsonl, or the `JsonLines` of it, which
            keeps rows that a full disk has not taken; None to write nothing,
            on a worker that only takes part in what all have to do.
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

    Files: owns `metrics_file`; each row is flushed to the disk. Rows that it
        does not take wait for the next interval, or the next checkpoint.
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
        self._file = metrics_file and json_lines.JsonLines.of(metrics_file)
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
        seconds_before = rows[-1].get("seconds") if rows else None
        if type(seconds_before) not in (int, float):  # a row from elsewhere
            seconds_before = 0.0
        self._training_began = time.monotonic() - seconds_before
        self._interval_began = None
        has_row = bool(rows) and rows[-1]["step"] == self.step
        self._owes_row = not has_row and self._is_row_due()

    def on_train_batch_begin(self, batch, logs=None):
        # Not earlier: `Checkpointing` has to put the metrics back first.
        if self._owes_row:
            self._owes_row = False
            self._begin_interval()
            metrics = self.model.metrics
            self.at_step(self.step, {m.name: m.result() for m in metrics})

    def on_train_batch_end(self, batch, logs=None):
        if self._interval_began is None:
            self._begin_interval()
        super().on_train_batch_end(batch, logs)

    def describe(self):
        """Returns what a checkpoint says of the rows so far: a JSON-able dict.

        What could not be written before is tried once more.
        """
        if not self._file:
            return {}
        self._file.flush()
        return {"metrics": self._file.summary()}

    def has_seen(self, step):
        """Whether it was called at the end of a step, also if it failed."""
        return self._previous_step == step

    def at_step(self, step, logs):
        metrics = self._metric_values()
        try:
            self._make_row(step, logs)
        except Exception:
            if step != self.last_step:
                _assign(metrics)
            raise

    def _make_row(self, step, logs):
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
        try:
            measured = self._measure(step)
        except Exception:
            if step == self.last_step:
                self._write(row)
            raise
        logs.update(measured)
        row.update(measured)
        self._write(row)
        self._begin_interval()

    def _is_row_due(self):
        """Whether the metrics are those of an interval that is just over."""
        step = self.step
        if not step or step % self.every_steps:
            return False
        metrics = self._metric_values()
        self.model.reset_metrics()
        is_due = any((v.numpy() != value).any() for v, value in metrics)
        _assign(metrics)
        return is_due

    def _measure(self, step):
        measured = {}
        if self._is_validation_due(step):
            measured.update(self._validate())
        if self.online_evaluation is not None:
            survives = going_on_without(f"the evaluation of step {step}")
            if isinstance(
                self.model.distribute_strategy,
                tf.distribute.MultiWorkerMirroredStrategy,
            ):
                # The others would wait for this one for ever.
                survives = contextlib.nullcontext()
            with survives:
                measured.update(self.online_evaluation(self.model, step))
        return measured

    def _metric_values(self):
        return [
            (variable, variable.numpy())
            for metric in self.model.metrics
            for variable in metric.variables
        ]

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
        metrics = self._metric_values()
        try:
            result = self.model.evaluate(
                self.validation,
                steps=self.validation_steps,
                verbose=0,
                return_dict=True,
            )
        finally:
            _assign(metrics)
            self.model.history = history
        return {f"validation_{n}": float(v) for n, v in result.items()}

    def _write(self, row):
        if self._file:
            self._file.append(row)
        if self.summary_writer is None:
            return
        with going_on_without(f"step {row['step']} for TensorBoard"):
            with self.summary_writer.as_default(step=row["step"]):
                for name, value in row.items():
                    if name != "step" and value is not None:
                        tf.summary.scalar(name, value)
            self.summary_writer.flush()


def _assign(values):
    for variable, value in values:
        variable.assign(value)
