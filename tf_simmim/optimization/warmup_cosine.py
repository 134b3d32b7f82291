"""Cosine learning rate after a linear warm-up, in its two common forms."""

import math

import tensorflow as tf

from tf_simmim.optimization import warmup

COSINE_ORIGINS = ("start", "warmup_end")


@tf.keras.saving.register_keras_serializable(package="tf_simmim")
class WarmupCosine(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly for `warmup_steps`, then falls along half a cosine.

        t < W:  w + (p - w) t / W
        t < T:  m + (p - m) (1 + cos(pi u)) / 2
        else:   m

    with u = t / T for `cosine_origin="start"`, as the reference does, so that
    the rate drops by a step where the warm-up ends (to 0.976 of the peak for
    10 of 100 epochs, to 0.905 for 20 of 100); and u = (t - W) / (T - W) for
    `cosine_origin="warmup_end"`, the usual form without the step.

    Args:
        learning_rate: float, p. The peak.
        total_steps: int, T. Updates in the whole run.
        warmup_steps: int, W < T. Updates before the peak.
        warmup_learning_rate: float, w. Rate of the first update.
        min_learning_rate: float, m. Rate at and beyond the end.
        cosine_origin: "start" or "warmup_end". Where u = 0 lies.

    Call arguments:
        step: int scalar, t. Number of updates already made.

    Returns:
        float32 []. The rate of the next update.

    Raises:
        ValueError: `warmup_steps` is not in [0, `total_steps`), or
            `cosine_origin` is unknown.

    Source: Loshchilov and Hutter, SGDR, 2016,
        https://arxiv.org/abs/1608.03983, equation 5; the SimMIM reference
        through timm's CosineLRScheduler. Differs from it: the reference
        applies the warm-up's first rate to its first two updates; here the
        second update already rises.
    """

    def __init__(
        self,
        learning_rate,
        total_steps,
        warmup_steps=0,
        warmup_learning_rate=0.0,
        min_learning_rate=0.0,
        cosine_origin="start",
    ):
        if not 0 <= warmup_steps < total_steps:
            raise ValueError(
                "`warmup_steps` must lie in [0, `total_steps`). Received: "
                f"warmup_steps={warmup_steps}, total_steps={total_steps}."
            )
        if cosine_origin not in COSINE_ORIGINS:
            raise ValueError(
                f"`cosine_origin` must be one of {COSINE_ORIGINS}. "
                f"Received: {cosine_origin!r}."
            )
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.warmup_learning_rate = warmup_learning_rate
        self.min_learning_rate = min_learning_rate
        self.cosine_origin = cosine_origin

    def __call__(self, step):
        """Returns the learning rate of the update after `step` updates."""
        step = tf.cast(step, tf.float32)
        origin = 0 if self.cosine_origin == "start" else self.warmup_steps
        remaining = (self.total_steps - step) / (self.total_steps - origin)
        remaining = tf.clip_by_value(remaining, 0.0, 1.0)
        # (1 + cos(pi (1 - r))) / 2 = sin(pi r / 2)^2: no cancellation where
        # the rate is small.
        height = tf.square(tf.sin(0.5 * math.pi * remaining))
        span = self.learning_rate - self.min_learning_rate
        cosine = self.min_learning_rate + span * height
        return warmup.with_warmup(
            step,
            cosine,
            self.learning_rate,
            self.warmup_steps,
            self.warmup_learning_rate,
        )

    def get_config(self):
        """Returns the constructor arguments."""
        return {
            "learning_rate": self.learning_rate,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "warmup_learning_rate": self.warmup_learning_rate,
            "min_learning_rate": self.min_learning_rate,
            "cosine_origin": self.cosine_origin,
        }
