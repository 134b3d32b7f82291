"""In which order the hidden units of all MLPs would be kept."""

import numpy as np
import tensorflow as tf

from tf_simmim import models
from tf_simmim.compression import baselines
from tf_simmim.compression import block_weights
from tf_simmim.compression import fidelity
from tf_simmim.compression import selection

CRITERIA = (*selection.CRITERIA, *baselines.BASELINES)


def unit_orders(
    model, calibration, criterion, *, batches, classes, seed=0, on_block=None
):
    """Orders the hidden units of every block, those to keep first.

    Args:
        model: a model with a `backbone` of transformer blocks.
        calibration: sequence of `BlockCalibration`.
        criterion: one of `CRITERIA`; see `selection.joint_order` and
            `baselines`.
        batches: sequence of float [B, H, W, C]. What "taylor" differentiates
            the loss for: the cross-entropy with what the model itself answers,
            or half the square of its features.
        classes: int [n], what the model takes each image of the calibration
            for; of "marginal".
        seed: int. Of "random".
        on_block: function of no arguments, called behind each block, or None.

    Returns:
        list of int [Q], one for each block.

    Raises:
        ValueError: `criterion` is unknown.
    """
    if criterion not in CRITERIA:
        raise ValueError(
            f"`criterion` must be one of {CRITERIA}. Received: {criterion!r}."
        )
    blocks = block_weights.of_backbone(model.backbone)
    gradients = [None] * len(blocks)
    if criterion == "taylor":
        gradients = _gradients(model, blocks, batches)
    generator, orders = np.random.default_rng(seed), []
    for block, found, gradient in zip(
        blocks, calibration, gradients, strict=True
    ):
        weights = block_weights.read(block)
        scale = block_weights.output_scales(block)[1]
        kernel = weights["project_kernel"] * scale
        if criterion in selection.CRITERIA:
            covariance = found.hidden.covariance
            order = selection.joint_order(covariance, kernel, criterion)
        else:
            if criterion == "random":
                scores = generator.random(len(kernel))
            elif criterion == "magnitude":
                scores = baselines.magnitude(weights["expand_kernel"], kernel)
            elif criterion == "activation":
                scores = baselines.activation(found.hidden)
            elif criterion == "taylor":
                scores = baselines.taylor(weights["project_kernel"], gradient)
            elif criterion == "entropy":
                scores = baselines.entropy(found.hidden_means)
            else:
                scores = baselines.marginal_information(
                    found.hidden_means, classes
                )
            order = np.argsort(-scores, kind="stable")
        orders.append(order)
        if on_block is not None:
            on_block()
    return orders


def _gradients(model, blocks, batches):
    """Returns the gradients of the output kernels, [Q, D], by block."""
    kernels = [block.mlp.project.kernel for block in blocks]

    @tf.function(reduce_retracing=True)
    def gradients_of(images):
        # Parts may be frozen.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            loss = _loss(model, images)
        return tape.gradient(loss, kernels)

    by_batch = [gradients_of(images) for images in batches]
    by_block = zip(*by_batch, strict=True)
    return [[part.numpy() for part in found] for found in by_block]


def _loss(model, images):
    logits = fidelity.answers(model, images)
    if not fidelity.has_head(model):
        return 0.5 * tf.reduce_sum(logits**2)
    if isinstance(model, models.Detector):
        own = tf.cast(tf.stop_gradient(logits) > 0, tf.float32)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(own, logits)
    else:
        own = tf.argmax(logits, axis=-1)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(own, logits)
    return tf.reduce_sum(losses)
