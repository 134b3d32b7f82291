"""Saves checkpoints while `fit` runs, and makes a resumed `fit` exact."""

from tf_simmim.training.callbacks.step_callback import StepCallback


class Checkpointing(StepCallback):
    """Saves a checkpoint at intervals, at the end, and when `fit` stops early.

    It also keeps restored metrics alive. Metrics are part of a checkpoint,
    so that the mean over a logging interval comes out the same when the run
    was interrupted inside it. But `fit` resets all metrics when its epoch
    starts, after `on_train_begin` and before `on_epoch_begin`; so they are
    remembered in the first and put back in the second. (A run here is one
    Keras epoch; later epochs of a plain `fit` start from zero as usual.)

    Put this callback after `MetricsLog`, which resets metrics when it has
    logged them, and after all others that change the model.

    Args:
        store: CheckpointStore.
        checkpoint: tf.train.Checkpoint of model and optimizer.
        every_steps: int >= 1.
        last_step: int. Step at which the run is over.
        metadata: JSON-able dict for the manifests.
    """

    def __init__(self, store, checkpoint, every_steps, last_step, metadata):
        super().__init__(every_steps, last_step)
        self.store = store
        self.checkpoint = checkpoint
        self.metadata = metadata
        self._restored_metrics = []

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
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
            self.at_step(self.step, logs)

    def at_step(self, step, logs):
        self.store.save(self.checkpoint, step, self.metadata)

    def _metric_variables(self):
        return [v for metric in self.model.metrics for v in metric.variables]
