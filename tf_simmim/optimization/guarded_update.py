"""An update that is made only when all numbers are finite."""

import tensorflow as tf


def scales_loss(optimizer) -> bool:
    """Tells whether Keras has wrapped an optimizer to scale the loss.

    It does so under `mixed_float16`, whose small gradients would be zero.
    """
    return hasattr(optimizer, "get_scaled_loss")


def apply_if_finite(
    optimizer,
    gradients,
    variables,
    loss,
    gradient_norm,
    mark=None,
    after_step=None,
) -> tf.Tensor:
    """Applies gradients, unless the loss or the gradient is not finite.

    A step that is skipped leaves weights, slots and averaged weights as they
    are. `optimizer.iterations` goes up by one either way: it is the clock of
    the run, which data, schedules and checkpoints follow. (So Adam's bias
    correction counts skipped steps as well, as it does in Keras' own
    `LossScaleOptimizer`.)

    With a dynamic loss scale, a gradient that is not finite first means that
    the scale is too large: the scale is halved, the step skipped, and that is
    no fault. It is one when the scale cannot get any smaller, or when the
    loss itself is not finite; the scale then stays.

    To be called in a replica context, with every replica calling; all of them
    apply, or none.

    Args:
        optimizer: Keras optimizer, of either kind, built.
        gradients: list of tensors, summed over the replicas, unscaled.
        variables: list of variables, as long.
        loss: float []. Summed over the replicas, so that a replica with a
            bad one spoils it for all.
        gradient_norm: float []. Global norm of `gradients`.
        mark: `UpdateMark`, which is set before anything changes, and left
            for the caller to clear; None for none.
        after_step: function () that every replica calls once the variables
            have their new values, and not if they keep the old ones; None for
            none.

    Returns:
        bool []: the step was skipped because of a fault. There only when the
        update is over.
    """
    loss_is_finite = tf.math.is_finite(loss)
    gradient_is_finite = tf.math.is_finite(gradient_norm)
    is_scale_to_blame = tf.constant(False)
    if scales_loss(optimizer) and optimizer.dynamic:
        is_scale_to_blame = tf.convert_to_tensor(optimizer.loss_scale) > 1.0
    # The optimizer sees to a scale that is too large, so it must be called.
    gradient_is_usable = gradient_is_finite | is_scale_to_blame
    can_apply = loss_is_finite & gradient_is_usable

    step = tf.identity(optimizer.iterations)
    tf.distribute.get_replica_context().merge_call(
        _apply_across_replicas,
        args=(can_apply, gradient_is_finite, gradients),
        kwargs={
            "optimizer": optimizer,
            "variables": _Wrapped(variables),
            "mark": mark,
            "after_step": after_step,
        },
    )
    # A step whose images never come must not move the clock: so this waits
    # for the loss, which nothing else here would make it do.
    with tf.control_dependencies([can_apply]):
        optimizer.iterations.assign(step + 1)
    with tf.control_dependencies([tf.identity(optimizer.iterations)]):
        return tf.identity(~can_apply)


class _Wrapped:
    """Keeps `tf.distribute` from unpacking mirrored variables."""

    def __init__(self, value):
        self.value = value


def _apply_across_replicas(
    strategy,
    can_apply,
    gradient_is_finite,
    gradients,
    optimizer,
    variables,
    mark,
    after_step,
):
    # A branch that applies gradients merges the replicas, and TensorFlow
    # allows that only if the condition was made outside of them.
    def apply():
        strategy.extended.call_for_each_replica(
            _apply_on_replica, args=(optimizer, gradients, variables, mark)
        )
        if after_step is not None:
            # One that is not only lowers the scale of the loss.
            tf.cond(one_replica(gradient_is_finite), follow, lambda: None)

    def follow():
        strategy.extended.call_for_each_replica(_call, args=(after_step,))

    def one_replica(values):
        return strategy.experimental_local_results(values)[0]

    tf.cond(one_replica(can_apply), apply, lambda: None)


def _call(function):
    function()


def _apply_on_replica(optimizer, gradients, variables, mark):
    if mark is not None:
        gradients = mark.set_before(gradients)
    optimizer.apply_gradients(
        list(zip(gradients, variables.value, strict=True)),
        experimental_aggregate_gradients=False,
    )
