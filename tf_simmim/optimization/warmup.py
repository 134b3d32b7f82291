"""Linear warm-up, shared by the learning-rate schedules."""

import tensorflow as tf


def with_warmup(
    step: tf.Tensor,
    rate: tf.Tensor,
    peak: float,
    warmup_steps: int,
    warmup_learning_rate: float,
) -> tf.Tensor:
    """Returns w + (p - w) t / W where t < W, and `rate` from then on.

    Args:
        step: float32 [], t. Updates already made.
        rate: float32 []. The rate after the warm-up.
        peak: float, p.
        warmup_steps: int, W. Updates; 0 for no warm-up.
        warmup_learning_rate: float, w. Rate of the first update.

    Returns:
        float32 [].
    """
    if warmup_steps == 0:
        return rate
    rise = (peak - warmup_learning_rate) / warmup_steps
    return tf.where(
        step < warmup_steps, warmup_learning_rate + rise * step, rate
    )
