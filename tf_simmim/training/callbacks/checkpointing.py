"""Saves checkpoints while `fit` runs, and makes a resumed `fit` exact."""

from absl import logging

from tf_simmim.training.callbacks.step_callback import StepCallback
from tf_simmim.training.errors import CheckpointWriteError

# Checkpoints in a row that may fail before the run is given up.
_MAX_FAILURES = 3


class Checkpointing(StepCallback):
    """Saves a checkpoint at intervals, at the end, and when `fit` stops early.

    It also keeps restored metrics alive. Metrics are part of a checkpoint,
    so that the mean over a logging interval comes out the same when the run
    was interrupted inside it. But `fit` resets all metrics when its epoch
    starts, after `on_train_begin` and before `on_epoch_begin`; so they are
    remembered in the first and put back in the second. (A run here is one
    Keras epoch; later epochs of a plain `fit` start from zero as usual.)

    A checkpoint that cannot be written, on a full disk say, is logged and
    tried again at the next interval. After three failures in a row, and when
    `fit` is over, the error is raised: training further would be lost work.

    Put this callback after `MetricsLog`, which resets metrics when it has
    logged them, and after all others that change the model.

    Args:
        store: CheckpointStore.
        checkpoint: tf.train.Checkpoint of model and optimizer.
        every_steps: int >= 1.
        last_step: int. Step at which the run is over.
        metadata: JSON-able dict for the manifests.
        metrics_log: `MetricsLog` of the run, whose rows the manifests
            describe; None without.

    Raises:
        CheckpointWriteError: from `fit`, as said above.
    """

    def __init__(
        self,
        store,
        checkpoint,
        every_steps,
        last_step,
        metadata,
        metrics_log=None,
    ):
        super().__init__(every_steps, last_step)
        self.store = store
        self.checkpoint = checkpoint
        self.metadata = metadata
        self.metrics_log = metrics_log
        self._restored_metrics = []
        self._num_failures = 0

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._num_failures = 0
        # At step 0 nothing was restored: whatever is in the metrics then is
        # left from an evaluation.
        variables = self._metric_variables() if self.step else []
        self._restored_metrics = [(v, v.numpy()) for v in variables]

    def on_epoch_begin(self, epoch, logs=None):
        for variable, value in self._restored_metrics:
            variable.assign(value)
        self._restored_metrics = []

    def on_epoch_end(self, epoch, logs=None):
        # Not `on_train_end`: before it, `fit` lets optimizers with averaged
        # weights overwrite the weights that training would continue from.
        if self.store.latest() != self.step:
            self._save(self.step)

    def save_after_error(self):
        """Saves a checkpoint of the last step, after `fit` has failed.

        Only of a whole step, from which training goes on bit for bit. So
        nothing is saved if the error came in the middle of an update; or from
        a callback before this one other than `metrics_log`, as what it had
        not done would be left out for good, and the checkpoint before leads
        there again. Nor at step 0, where nothing is to be lost.

        Returns:
            int: the step, or None if nothing is saved.

        Raises:
            FloatingPointError, CheckpointWriteError: as from the store.
        """
        step = self.step
        is_finished = step == self._previous_step or (
            self.metrics_log is not None and self.metrics_log.has_seen(step)
        )
        is_half_updated = getattr(self.model, "is_half_updated", bool)
        if not step or not is_finished or is_half_updated():
            return None
        if self.store.latest() == step:
            return None
        self._save(step)
        return step

    def at_step(self, step, logs):
        try:
            self._save(step)
        except CheckpointWriteError as error:
            self._num_failures += 1
            if self._num_failures == _MAX_FAILURES:
                raise
            logging.error(
                "%s Training goes on; failure %d of at most %d in a row.",
                error,
                self._num_failures,
                _MAX_FAILURES,
            )
        else:
            self._num_failures = 0

    def _save(self, step):
        metadata = self.metadata
        if self.metrics_log is not None:
            metadata = {**metadata, **self.metrics_log.describe()}
        self.store.save(self.checkpoint, step, metadata)

    def _metric_variables(self):
        return [v for metric in self.model.metrics for v in metric.variables]
