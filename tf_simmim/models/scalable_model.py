"""What `compile` of every model here takes, to make a step fit a machine."""

import tensorflow as tf


class ScalableModel(tf.keras.Model):
    """A Keras model whose own steps know XLA and gradient accumulation.

    A base class: the `train_step` of a subclass hands both attributes to
    `optimization.loss_and_gradients`.

    Args:
        **kwargs: passed to `tf.keras.Model`.

    Attributes:
        uses_xla: bool, False before `compile`.
        accumulation_steps: int, 1 before `compile`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.uses_xla = False
        self.accumulation_steps = 1

    def compile(
        self,
        optimizer="rmsprop",
        jit_compile=False,
        accumulation_steps=1,
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
            **kwargs: passed to `tf.keras.Model.compile`.

        Raises:
            ValueError: `accumulation_steps` is not a positive int, or
                `jit_compile` comes with `run_eagerly`.
        """
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
        super().compile(optimizer, jit_compile=False, **kwargs)
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
        self.compile(**tf.keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)
