"""Weights for evaluation: the averages that an optimizer has kept."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def averaged_weights(model):
    """Lends a model the moving averages of its weights.

        with optimization.averaged_weights(model):
            model.save("classifier.keras")

    Training goes on from the weights themselves, which come back at the end.
    `evaluate` and `predict` of the models here do this on their own. Without
    averages it does nothing. In a cross-replica context, such as outside of
    `strategy.run`.

    Args:
        model: a Keras model. Its optimizer has averages if `create_optimizer`
            was told an `ema_momentum`.
    """
    optimizer = getattr(model, "optimizer", None)
    # Keras wraps it to scale the loss.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    averages = getattr(optimizer, "averages", [])
    variables = model.trainable_variables if averages else []
    raw = [tf.identity(variable) for variable in variables]
    try:
        _assign(variables, averages)
        yield
    finally:
        _assign(variables, raw)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.convert_to_tensor(value))
