"""Linear probe as the literature trains it: by gradient descent.

Dimension key:
  N: training images   M: test images   D: width of the features
  L: number of classes   B: batch
"""

import numpy as np
import tensorflow as tf

from tf_simmim import optimization
from tf_simmim import randomness
from tf_simmim.data import order
from tf_simmim.evaluation import label_checks

_EPSILON = 1e-6  # of MAE's batch norm
_INITIAL_DEVIATION = 0.01  # of its weights


def sgd_predictions(
    train_features,
    train_labels,
    test_features,
    num_classes,
    epochs=90,
    warmup_epochs=10,
    batch_size=256,
    base_learning_rate=0.1,
    momentum=0.9,
    seed=0,
) -> np.ndarray:
    """Trains a linear classifier on features, and classifies others.

    Softmax cross-entropy, SGD with momentum, no weight decay, a learning rate
    of `base_learning_rate * B / 256` after a linear warm-up and along a
    cosine to zero, on features that are normalized without parameters.

    Args:
        train_features: float [N, D].
        train_labels: int [N], in [0, num_classes); every class at least once.
        test_features: float [M, D].
        num_classes: int, L.
        epochs: int >= 1. 90 as in MAE.
        warmup_epochs: int in [0, epochs). 10 as in MAE.
        batch_size: int >= 1, B; all N where they are fewer. What is left over
            of an epoch is dropped, as in MAE.
        base_learning_rate: float > 0. Per 256 images; 0.1 as in MAE.
        momentum: float in [0, 1). 0.9 as in MAE.
        seed: int. Of initial weights and order.

    Returns:
        int64 [M]: the classes of the test features.

    Raises:
        ValueError: a label is out of range, a class is missing, or
            `warmup_epochs` is not in [0, epochs).

    Source: He et al., MAE, 2021, https://arxiv.org/abs/2111.06377, table 10
        and main_linprobe.py of its code. Differs from it: features are of
        whole images and computed once, so there is no random crop, and batch
        norm knows the statistics of the training set from the start; SGD in
        the place of LARS, which is for batches of 16,384; batches of 256.
    """
    train_labels = label_checks.require_every_class(train_labels, num_classes)
    if not 0 <= warmup_epochs < epochs:
        raise ValueError(
            "`warmup_epochs` must lie in [0, `epochs`). Received: "
            f"warmup_epochs={warmup_epochs}, epochs={epochs}."
        )
    x = np.asarray(train_features, np.float64)
    mean, deviation = x.mean(axis=0), np.sqrt(x.var(axis=0) + _EPSILON)

    def normalize(features):
        return tf.constant((features - mean) / deviation, tf.float32)

    num_images, width = x.shape
    batch_size = min(batch_size, num_images)
    steps_per_epoch = num_images // batch_size
    schedule = optimization.WarmupCosine(
        base_learning_rate * batch_size / 256,
        total_steps=epochs * steps_per_epoch,
        warmup_steps=warmup_epochs * steps_per_epoch,
        cosine_origin="warmup_end",
    )
    initial = tf.random.stateless_truncated_normal(
        [width, num_classes],
        tf.constant([seed, 0], tf.int64),
        stddev=_INITIAL_DEVIATION,
        alg="philox",
    )

    @tf.function
    def train(features, labels, weights):
        bias = tf.zeros([num_classes])
        velocity, bias_velocity = tf.zeros_like(weights), tf.zeros_like(bias)
        for epoch in tf.range(epochs):
            order_seed = randomness.seed_for(seed, randomness.ORDER, epoch)
            rows = order.shuffled(
                tf.range(num_images, dtype=tf.int64), num_images, order_seed
            )
            for step in tf.range(steps_per_epoch):
                batch = rows[step * batch_size : (step + 1) * batch_size]
                images = tf.gather(features, batch)  # [B, D]
                error = tf.nn.softmax(images @ weights + bias) - tf.one_hot(
                    tf.gather(labels, batch), num_classes
                )  # [B, L], the gradient of the logits times B
                rate = schedule(epoch * steps_per_epoch + step)
                # PyTorch's form of momentum, as in MAE's code.
                velocity = momentum * velocity + (
                    tf.matmul(images, error, transpose_a=True) / batch_size
                )
                bias_velocity = momentum * bias_velocity + (
                    tf.reduce_mean(error, axis=0)
                )
                weights -= rate * velocity
                bias -= rate * bias_velocity
        return weights, bias

    # Called by its trace: TensorFlow takes a function made anew for every
    # block for a mistake.
    arguments = (normalize(x), tf.constant(train_labels), initial)
    weights, bias = train.get_concrete_function(*arguments)(*arguments)
    logits = normalize(np.asarray(test_features)) @ weights + bias  # [M, L]
    return tf.argmax(logits, axis=1).numpy()
