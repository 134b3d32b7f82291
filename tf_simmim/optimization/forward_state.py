"""State that the forward pass changes, put back when a step is skipped."""

import tensorflow as tf


def read_state(model) -> list[tf.Tensor]:
    """Returns the values of a model's non-trainable weights, as they are now.

    Those are the moving statistics of batch normalisation, which a training
    call updates on its way. To be called before it, in a replica context.
    """
    return [tf.identity(v) for v in model.non_trainable_variables]


def restore_if(is_skipped: tf.Tensor, model, state: list[tf.Tensor]) -> None:
    """Gives non-trainable weights their old values if a step was skipped.

    Without it, one bad image would stay in moving statistics for good: NaN
    averaged with anything is NaN, though no weight was updated.

    Args:
        is_skipped: bool []. The same on every replica.
        model: a Keras model.
        state: what `read_state` returned for it before the step.
    """
    for variable, old in zip(model.non_trainable_variables, state, strict=True):
        variable.assign(tf.where(is_skipped, old, variable))
