"""Stepwise learning rate after a linear warm-up."""

import tensorflow as tf

from tf_simmim.optimization import warmup


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class WarmupMultiStep(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly for `warmup_steps`, then falls at each milestone.

        t < W:  w + (p - w) t / W
        else:   p * gamma ^ (number of milestones <= t)

    Args:
        learning_rate: float, p. The peak.
        milestone_steps: sequence of int, increasing. Updates after which the
            rate falls: of 800 epochs, SimMIM's long recipe takes the 700th.
        gamma: float in (0, 1). Factor of each fall; 0.1 in the reference.
        warmup_steps: int, W, before the first milestone.
        warmup_learning_rate: float, w. Rate of the first update.

    Call arguments:
        step: int scalar, t. Number of updates already made.

    Returns:
        float32 []. The rate of the next update.

    Raises:
        ValueError: milestones that do not increase, or a warm-up that is
            negative or reaches the first milestone.

    Source: the SimMIM reference's MultiStepLRScheduler. Differs from it: the
        reference applies the warm-up's first rate to its first two updates;
        here the second update already rises.
    """

    def __init__(
        self,
        learning_rate,
        milestone_steps,
        gamma=0.1,
        warmup_steps=0,
        warmup_learning_rate=0.0,
    ):
        milestone_steps = list(milestone_steps)
        bounds = [max(warmup_steps, 0), *milestone_steps]
        if warmup_steps < 0 or sorted(set(bounds)) != bounds:
            raise ValueError(
                "`milestone_steps` must increase, and `warmup_steps` be "
                "before the first of them. Received: "
                f"milestone_steps={milestone_steps}, "
                f"warmup_steps={warmup_steps}."
            )
        self.learning_rate = learning_rate
        self.milestone_steps = milestone_steps
        self.gamma = gamma
        self.warmup_steps = warmup_steps
        self.warmup_learning_rate = warmup_learning_rate

    def __call__(self, step):
        """Returns the learning rate of the update after `step` updates."""
        step = tf.cast(step, tf.float32)
        rate = tf.constant(self.learning_rate, tf.float32)
        for milestone in self.milestone_steps:
            rate = tf.where(step >= milestone, rate * self.gamma, rate)
        return warmup.with_warmup(
            step,
            rate,
            self.learning_rate,
            self.warmup_steps,
            self.warmup_learning_rate,
        )

    def get_config(self):
        """Returns the constructor arguments."""
        return {
            "learning_rate": self.learning_rate,
            "milestone_steps": self.milestone_steps,
            "gamma": self.gamma,
            "warmup_steps": self.warmup_steps,
            "warmup_learning_rate": self.warmup_learning_rate,
        }
