"""The clock of all callbacks here: optimizer steps, not epochs."""

import tensorflow as tf


class StepCallback(tf.keras.callbacks.Callback):
    """Calls `at_step` at every multiple of a number of steps, and at the last.

    The global step is `model.optimizer.iterations`, so a run that resumes
    goes on at the same points as one that was never interrupted. Where Keras
    takes several steps between two callbacks (`steps_per_execution`), the
    call comes at the first opportunity after the multiple.

    Args:
        every_steps: int >= 1.
        last_step: int or None. The step at which the whole run will be over;
            None for none in particular.

    Raises:
        ValueError: `every_steps` is below 1.
    """

    def __init__(self, every_steps, last_step=None):
        super().__init__()
        if every_steps < 1:
            raise ValueError(
                f"`every_steps` must be at least 1. Received: {every_steps}."
            )
        self.every_steps = every_steps
        self.last_step = last_step
        self._previous_step = 0

    @property
    def step(self):
        """Int: optimizer steps taken so far, in earlier processes too."""
        return int(self.model.optimizer.iterations.numpy())

    def at_step(self, step, logs):
        """What to do at a step that is due.

        Args:
            step: int. Optimizer steps taken.
            logs: dict of float. The model's metrics, before any callback
                reset them.
        """
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        self._previous_step = self.step

    def on_train_batch_end(self, batch, logs=None):
        step = self.step
        multiples = step // self.every_steps
        is_due = multiples > self._previous_step // self.every_steps
        # A step that is accumulated does not move the counter.
        is_last = step == self.last_step and step != self._previous_step
        self._previous_step = step
        if is_due or is_last:
            self.at_step(step, logs or {})
