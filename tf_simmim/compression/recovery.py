"""A pruned network learns to answer as the original did, without labels.

Dimension key:
  B: batch   H W: image, px   C: channels
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tf_simmim import models
from tf_simmim.compression import agreement
from tf_simmim.compression import fidelity

# Of the images, those that decide which state is kept.
_HELD_OUT_SHARE = 0.25


@dataclasses.dataclass(frozen=True)
class Recovery:
    """What an epoch after the other has brought.

    Attributes:
        kls: tuple of float, nats: of the images that are held out, before the
            first epoch and behind each.
        best: int. The number of the epoch whose weights are kept; 0 for none.
    """

    kls: tuple
    best: int


def recover(
    model,
    original,
    batches,
    *,
    num_epochs,
    learning_rate=1e-4,
    seed=0,
    on_step=None,
) -> Recovery:
    """Trains a pruned model towards the answers of the original.

        L = mean KL(original(x) || model(x))

    of predictions, pixels or anchors, or, without a head, of how similar the
    images of a batch are; by Adam. A quarter of the batches is held out: the
    model ends with the weights that are best on these, which may be those that
    it came with.

    Args:
        model: a model as of `pruning.prune`, whose weights are set.
        original: the model that it was.
        batches: sequence of float [B, H, W, C], two or more.
        num_epochs: int > 0.
        learning_rate: float > 0. A larger one can spoil what pruning kept.
        seed: int. Of the order of batches.
        on_step: function of no arguments, called behind each epoch, or None.

    Returns:
        `Recovery`.

    Raises:
        ValueError: there is one batch alone.
    """
    require_batches(batches)
    batches = [tf.cast(images, tf.float32) for images in batches]
    num_held_out = max(1, round(_HELD_OUT_SHARE * len(batches)))
    held_out, batches = batches[:num_held_out], batches[num_held_out:]
    judge = fidelity.Fidelity(original, held_out)
    optimizer = tf.keras.optimizers.Adam(learning_rate)
    variables = model.trainable_variables
    optimizer.build(variables)

    @tf.function(reduce_retracing=True)
    def step(images):
        wanted = fidelity.answers(original, images)
        with tf.GradientTape() as tape:
            loss = _loss(original, wanted, fidelity.answers(model, images))
        gradients = tape.gradient(loss, variables)
        pairs = zip(gradients, variables, strict=True)
        optimizer.apply_gradients(
            [pair for pair in pairs if pair[0] is not None]
        )

    generator = np.random.default_rng(seed)
    answers_of = judge.of(model)
    kls = [answers_of()]
    best, weights = 0, model.get_weights()
    for epoch in range(1, num_epochs + 1):
        for i in generator.permutation(len(batches)):
            step(batches[i])
        kls.append(answers_of())
        if kls[-1] < kls[best]:  # never of what is not a number
            best, weights = epoch, model.get_weights()
        if on_step is not None:
            on_step()
    model.set_weights(weights)
    return Recovery(tuple(kls), best)


def require_batches(batches) -> None:
    """Refuses so few batches that none is left to train with.

    Args:
        batches: sequence, as of `recover`.

    Raises:
        ValueError: there is one batch alone.
    """
    if len(batches) < 2:
        raise ValueError(
            "`batches` must be two or more for a recovery, since some are held "
            f"out. Received: {len(batches)}."
        )


def _loss(original, wanted, found):
    if isinstance(original, models.Detector):
        probabilities = tf.sigmoid(wanted)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(probabilities, found)
        return tf.reduce_mean(tf.reduce_sum(losses, axis=-1))
    if not fidelity.has_head(original):
        wanted, found = map(_similarities, (wanted, found))
    losses = tf.nn.softmax_cross_entropy_with_logits(
        tf.nn.softmax(wanted), found
    )
    return tf.reduce_mean(losses)


def _similarities(features):
    """Returns logits [B, B] of how near each image is to the others."""
    unit = tf.math.l2_normalize(features, axis=-1)
    logits = tf.matmul(unit, unit, transpose_b=True) / agreement.TEMPERATURE
    return tf.linalg.set_diag(logits, tf.fill(tf.shape(logits)[:1], -1e9))
