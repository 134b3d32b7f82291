"""How well hidden pixels of held-out images are predicted."""

import tensorflow as tf


def reconstruction_loss(model, dataset) -> float:
    """Returns SimMIM's loss over a data set, without training.

    The number that `model.evaluate` gives, for a model that has not been
    compiled. When it rises while the training loss falls, the model
    memorises its images.

    Args:
        model: `models.SimMIM`.
        dataset: finite tf.data.Dataset of batched elements with `image` and
            `patch_mask`.

    Returns:
        float: the mean over images, a smaller last batch counting less.
    """
    step = tf.function(model.test_step, reduce_retracing=True)
    model.reset_metrics()
    for batch in dataset:
        step(batch)
    loss = float(model.loss_metric.result())
    model.reset_metrics()
    return loss
