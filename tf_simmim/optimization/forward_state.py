"""State that the forward pass changes, put back when a step is skipped."""

import tensorflow as tf


def read_state(variables) -> list[tf.Tensor]:
    """Returns the values of variables as they are now.

    For the moving statistics of batch normalisation, which a training call
    updates on its way. To be called before it, in a replica context.
    """
    return [tf.identity(variable) for variable in variables]


def restore_if(is_skipped: tf.Tensor, variables, state) -> None:
    """Gives variables their old values if a step was skipped.

    Without it, one bad image would stay in moving statistics for good: NaN
    averaged with anything is NaN, though no weight was updated.

    Args:
        is_skipped: bool []. The same on every replica.
        variables: list of tf.Variable.
        state: what `read_state` returned for them before the step.
    """
    for variable, old in zip(variables, state, strict=True):
        variable.assign(tf.where(is_skipped, old, variable))
