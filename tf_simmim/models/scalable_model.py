"""The training step of every model here, on any number of devices.

Dimension key:
  B: replica batch   K: number of micro-batches   b: micro-batch = B/K
"""

import tensorflow as tf

from tf_simmim import freezing
from tf_simmim import metrics
from tf_simmim import optimization
from tf_simmim.models import extra_metrics
from tf_simmim.models import untracked

# Of `compile`, for models that have no loss of their own.
_NOT_HERE = ("loss", "loss_weights", "weighted_metrics")


class ScalableModel(freezing.KeepsFrozen, tf.keras.Model):
    """A Keras model whose steps know replicas, XLA and accumulation.

    A base class: the `train_step` of a subclass ends in `take_step`, and its
    configuration has the `backbone` that it is built on.

    Args:
        **kwargs: passed to `tf.keras.Model`.

    Attributes:
        uses_xla: bool, False before `compile`.
        accumulation_steps: int, 1 before `compile`.
        loss_metric, gradient_norm_metric: `metrics.FiniteMean`.
        skipped_steps: `metrics.SkippedSteps`.
        extra_metrics: list of the metrics that `compile` was given.
    """

    # Of a subclass: what to use where Keras has `loss`; what it reports under
    # names that no metric has; and how many predictions it compares.
    _instead_of_loss = ""
    _other_results = ()
    _num_predictions = 1

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.uses_xla = False
        self.accumulation_steps = 1
        self._update_mark = None
        self.loss_metric = metrics.FiniteMean(name="loss")
        self.gradient_norm_metric = metrics.FiniteMean(name="gradient_norm")
        self.skipped_steps = metrics.SkippedSteps()
        # They are those of all replicas already; Keras would add them up over
        # the workers once more.
        self.distribute_reduction_method = "first"
        # Those of `compile` are no part of the model.
        self._extra_metrics = untracked.Untracked([])

    @property
    def extra_metrics(self):
        """The metrics that `compile` was given."""
        return self._extra_metrics.value

    @property
    def metrics(self):
        """The model's metrics, which `fit` resets between epochs."""
        return [
            self.loss_metric,
            self.gradient_norm_metric,
            self.skipped_steps,
            *self.extra_metrics,
        ]

    def compile(
        self,
        optimizer="rmsprop",
        jit_compile=False,
        accumulation_steps=1,
        metrics=None,
        **kwargs,
    ):
        """Configures training.

        Args:
            optimizer: Keras optimizer, such as `optimization.create_optimizer`
                makes.
            jit_compile: bool. Whether XLA compiles forward pass, loss and
                gradient. The update stays outside (Keras' own switch has it
                inside, and fails on two replicas).
            accumulation_steps: int >= 1. Micro-batches that a replica's batch
                is computed in, one after another, for less memory. There is
                one update still, of the whole gradient, and its numbers are
                those of the whole batch (but for BatchNorm, which normalises
                each micro-batch by itself).
            metrics: list of Keras metrics, functions or names of either, to
                report in training and evaluation beside the model's own; see
                the model for what they compare. A step that is skipped counts
                for none of them.
            **kwargs: passed to `tf.keras.Model.compile`.

        Raises:
            ValueError: `accumulation_steps` is not a positive int,
                `jit_compile` is no bool or comes with `run_eagerly`, a metric
                is none, or has a name that is taken; or `loss`,
                `loss_weights` or `weighted_metrics` is given: the loss is the
                model's own.
        """
        # Earlier versions took a loss, did not use it, and saved it in folders.
        is_saved = kwargs.get("from_serialized", False)
        for name in _NOT_HERE:
            if kwargs.pop(name, None) is not None and not is_saved:
                raise ValueError(
                    f"`{name}` must be None: the loss of a "
                    f"{type(self).__name__} is its own. {self._instead_of_loss}"
                )
        if jit_compile not in (True, False, None):
            raise ValueError(
                f"`jit_compile` must be a bool. Received: {jit_compile!r}. (A "
                "loss is no argument: it is the model's own.)"
            )
        if not isinstance(accumulation_steps, int) or accumulation_steps < 1:
            raise ValueError(
                "`accumulation_steps` must be a positive int. "
                f"Received: {accumulation_steps!r}."
            )
        if jit_compile and kwargs.get("run_eagerly"):
            raise ValueError(
                "`jit_compile` and `run_eagerly` exclude each other. Received: "
                "both."
            )
        self._extra_metrics.value = []
        own_names = {metric.name for metric in self.metrics}
        with self.distribute_strategy.scope():
            created = extra_metrics.create(
                metrics, own_names.union(self._other_results)
            )
            self._update_mark = optimization.UpdateMark()
        super().compile(optimizer, jit_compile=False, metrics=metrics, **kwargs)
        self._extra_metrics.value = created
        self.uses_xla = bool(jit_compile)
        self.accumulation_steps = accumulation_steps

    def get_compile_config(self):
        """Returns the arguments of `compile`, for saving; None before it."""
        config = super().get_compile_config()
        return config and {
            **config,
            "jit_compile": self.uses_xla,
            "accumulation_steps": self.accumulation_steps,
        }

    def compile_from_config(self, config):
        """Compiles the model as `get_compile_config` says."""
        config = tf.keras.saving.deserialize_keras_object(config)
        # Earlier versions took a loss, and did not use it.
        self.compile(**{k: v for k, v in config.items() if k not in _NOT_HERE})
        self.optimizer.build(self.trainable_variables)

    def fit(self, *args, class_weight=None, **kwargs):
        """Trains as Keras does.

        Raises:
            ValueError: `class_weight` is given.
        """
        if class_weight is not None:
            raise ValueError(
                "`class_weight` must be None: every image counts alike. Show "
                "images of rare classes more often instead "
                "(`tf.data.Dataset.rejection_resample`); a Segmenter weighs "
                "pixels with `Segmenter(class_weights=)`. "
                f"Received: {class_weight}."
            )
        return super().fit(*args, **kwargs)

    def evaluate(self, *args, **kwargs):
        """Evaluates as Keras does, on averaged weights if there are any."""
        with optimization.averaged_weights(self):
            return super().evaluate(*args, **kwargs)

    def predict(self, *args, **kwargs):
        """Predicts as Keras does, with averaged weights if there are any."""
        with optimization.averaged_weights(self):
            return super().predict(*args, **kwargs)

    def is_half_updated(self) -> bool:
        """Whether `fit` has ended in the middle of an update, eagerly.

        Then the weights are of no step, and no checkpoint may hold them.
        """
        return self._update_mark is not None and self._update_mark.is_set()

    def take_step(
        self,
        loss_function,
        batch,
        shares_of,
        measures=(),
        compare=None,
        after_step=None,
    ):
        """Takes one optimizer step, unless its numbers are not finite.

        The gradient is that of the mean loss over all replicas, accumulated
        over the micro-batches of each. It is summed over the replicas here,
        once, so that its norm can be reported and the optimizer clips the
        global gradient, as SimMIM's reference does.

        If the loss or the gradient is not finite, nothing is updated but the
        counters; see `optimization.apply_if_finite`. What the forward pass
        has changed beside them, such as moving statistics, is put back; see
        `optimization.ForwardState`. A layer that changes a variable in its
        call has made it with `trainable=False`, as Keras' own layers do.

        Args:
            loss_function: function (*micro-batch) -> (float32 [], list of
                float32 [], list of float32 [b, ...]): the mean loss of tensors
                [b, ...], for training; one number for each of `measures`; and
                predictions, where there are extra metrics.
            batch: list of tensors [B, ...]; per replica.
            shares_of: function (*micro-batches) -> float32 [K]. How much the
                loss of each micro-batch counts in the replica's, of tensors
                [K, b, ...].
            measures: metrics of what else to report of a step, which count as
                the loss does.
            compare: function (*predictions of the batch) that updates the
                extra metrics.
            after_step: function () that moves what follows the weights: a
                teacher that is their moving average, a queue of features. It
                runs on every replica when the optimizer has updated the
                weights: once a step, however many micro-batches it has; not
                for a step that is skipped, nor for one that only lowers the
                loss scale. It runs outside of what XLA compiles, and may
                gather tensors of all replicas. Replicas stay alike where it
                computes from what they share, such as weights, or what it has
                gathered. Its variables are attributes of the model, which
                checkpoints then keep, and not to be trained.

        Returns:
            dict of the metrics' results.
        """
        step = tf.identity(self.optimizer.iterations)
        state = optimization.ForwardState(self._state())
        mark = self._update_mark
        if len(state):  # the forward pass may change it
            batch = mark.set_before(batch)
        replicas = tf.distribute.get_replica_context()
        parts = optimization.split_batch(batch, self.accumulation_steps)
        shares = shares_of(*parts) / replicas.num_replicas_in_sync
        variables = self.trainable_variables
        loss, values, gradients, predictions = optimization.loss_and_gradients(
            loss_function,
            parts,
            shares,
            variables,
            self.optimizer,
            self.uses_xla,
            len(measures),
            self._num_predictions if self.extra_metrics else 0,
        )
        state.keep_changed()
        if replicas.num_replicas_in_sync > 1:
            loss, *sums = replicas.all_reduce(
                tf.distribute.ReduceOp.SUM, [loss, *values, *gradients]
            )
            values, gradients = sums[: len(values)], sums[len(values) :]
        gradient_norm = tf.linalg.global_norm(gradients)
        is_skipped = optimization.apply_if_finite(
            self.optimizer,
            gradients,
            variables,
            loss,
            gradient_norm,
            mark,
            after_step,
        )
        state.restore_if(is_skipped)
        mark.clear_after([is_skipped])
        # Metrics change with the step, or not at all.
        with tf.control_dependencies([is_skipped]):
            loss, gradient_norm = tf.identity(loss), tf.identity(gradient_norm)
        # One step counts once, however many replicas report it: a run may go
        # on with another number of them within a logging interval.
        share = 1.0 / replicas.num_replicas_in_sync
        self.loss_metric.update_state(loss, share)
        self.gradient_norm_metric.update_state(gradient_norm, share)
        for metric, value in zip(measures, values, strict=True):
            value = tf.where(is_skipped, float("nan"), value)
            metric.update_state(value, share)
        self.skipped_steps.update_state(is_skipped, step + 1)
        if self.extra_metrics:
            tf.cond(is_skipped, lambda: None, lambda: compare(*predictions))
        return extra_metrics.results(self.metrics)

    def _state(self):
        """Returns the variables that a forward pass may change.

        They were made with `trainable=False`. A frozen weight was not: it
        could be trained, and nothing changes it.
        """
        # Keras counts the variables of metrics among the model's.
        of_metrics = {v.ref() for m in self.metrics for v in m.variables}
        return [
            variable
            for variable in self.non_trainable_variables
            if not variable.trainable and variable.ref() not in of_metrics
        ]

    @classmethod
    def from_config(cls, config):
        """Recreates the model, and its backbone, from `get_config`."""
        backbone = tf.keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})
