"""Metrics that `compile` is given, beside a model's own.

Dimension key:
  N: number of what has a class: images, or pixels   L: classes
"""

import tensorflow as tf

_ACCURACIES = ("accuracy", "acc")


def create(metrics, own_names) -> list:
    """Returns Keras metrics of what `compile(metrics=)` takes.

    Args:
        metrics: None, a metric, or a list of them: `tf.keras.metrics.Metric`,
            a function of (y_true, y_pred), or the name of either in Keras.
            "accuracy" is left out where the model has it anyway.
        own_names: names of what the model reports without them.

    Raises:
        ValueError: something else; or a name that is given twice, or is the
            model's own.
    """
    if metrics is None:
        return []
    if not isinstance(metrics, list | tuple):
        metrics = [metrics]
    has_accuracy = "accuracy" in own_names
    created = [
        _metric(metric)
        for metric in metrics
        if not (has_accuracy and _is_accuracy(metric))
    ]
    names = [metric.name for metric in created]
    doubled = sorted({n for n in names if n in own_names or names.count(n) > 1})
    if doubled:
        raise ValueError(
            "`metrics` must have names that differ from each other and from "
            f"those of the model, {sorted(own_names)}. Received: {doubled}."
        )
    return created


def results(metrics) -> dict:
    """Returns {name: result} of metrics, some of which have several."""
    named = {}
    for metric in metrics:
        result = metric.result()
        named |= result if isinstance(result, dict) else {metric.name: result}
    return named


def update_of_classes(metrics, targets, logits, weights=None) -> None:
    """Updates metrics with what they expect of a classification.

    One of probabilities gets these, as AUC and precision are, and one made
    with `from_logits=True` gets logits. Beside them stand the targets; one of
    numbers of classes (`Sparse...`, or `sparse_y_true`) gets the largest
    target's.

    Args:
        metrics: list of Keras metrics.
        targets: float32 [N, L], one number a class.
        logits: float32 [N, L].
        weights: float32 [N] or None: how much each counts.
    """
    labels, guesses = tf.argmax(targets, -1), tf.argmax(logits, -1)
    probabilities = tf.nn.softmax(logits)
    for metric in metrics:
        config = metric.get_config()
        is_equality = isinstance(metric, tf.keras.metrics.Accuracy)
        is_sparse = is_equality or _is_sparse(metric, config)
        predicted = probabilities
        if is_equality or config.get("sparse_y_pred"):
            predicted = guesses
        elif config.get("from_logits"):
            predicted = logits
        update(metric, labels if is_sparse else targets, predicted, weights)


def update(metric, y_true, y_pred, weights=None) -> None:
    """Updates a metric, which need not know weights where there are none."""
    options = {} if weights is None else {"sample_weight": weights}
    metric.update_state(y_true, y_pred, **options)


def _metric(given):
    metric = given
    if isinstance(given, str) and not _is_accuracy(given):
        metric = tf.keras.metrics.get(given)
    if isinstance(metric, tf.keras.metrics.Metric):
        return metric
    if callable(metric) and not isinstance(metric, type):
        name = getattr(metric, "__name__", type(metric).__name__)
        return tf.keras.metrics.MeanMetricWrapper(metric, name=name)
    raise ValueError(
        "`metrics` must be Keras metrics, functions of (y_true, y_pred), or "
        f"names of either that fit this model. Received: {given!r}."
    )


def _is_accuracy(metric):
    return isinstance(metric, str) and metric.lower() in _ACCURACIES


def _is_sparse(metric, config):
    names = [metric.name, *(cls.__name__ for cls in type(metric).__mro__)]
    by_name = any(name.lower().startswith("sparse") for name in names)
    return by_name or bool(config.get("sparse_y_true"))
