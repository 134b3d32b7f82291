"""Few-shot classification: how far do a few labels go?

Dimension key:
  N: training images   M: test images   D: width of the features
  k: labels of each class   L: number of classes
"""

import numpy as np

from tf_simmim import randomness
from tf_simmim.data import order
from tf_simmim.evaluation import label_checks
from tf_simmim.evaluation import ridge

# For one label of each class, where none can be left out to choose it by.
# Measured on digits, k = 1, features and pixels: within 3 % of the best decade
# everywhere; 1 loses 6 % on features, whose variance lies in few directions.
_STRENGTH_OF_ONE = 1e-2


def draw_few(labels, num_labels, num_classes, seed, draw) -> np.ndarray:
    """Returns which images are labelled in a draw.

    A function of the labels, `seed` and `draw`: every network and block sees
    the same images, and more labels of a draw are those of fewer and some
    besides, so that two numbers of a draw can be compared.

    Args:
        labels: int [N], in [0, num_classes).
        num_labels: int >= 1, k. Images of each class.
        num_classes: int, L.
        seed: int.
        draw: int >= 0. Which draw.

    Returns:
        int64 [L * k]: rows, k of every class, none twice.

    Raises:
        ValueError: a class has fewer than `num_labels` images, or that is
            less than 1.
    """
    if num_labels < 1:
        raise ValueError(
            f"`num_labels` must be at least 1. Received: {num_labels}."
        )
    labels = label_checks.require_every_class(labels, num_classes, num_labels)
    rows = order.shuffled(
        np.arange(len(labels)),
        len(labels),
        randomness.seed_for(seed, randomness.ORDER, draw),
    ).numpy()
    return np.concatenate(
        [rows[labels[rows] == c][:num_labels] for c in range(num_classes)]
    )


def few_shot_accuracies(
    train_features,
    train_labels,
    test_features,
    test_labels,
    num_classes,
    num_labels,
    num_draws=20,
    seed=0,
    strength=None,
) -> list[float]:
    """Returns the accuracies of ridge probes on k labels of each class.

    Args:
        train_features: float [N, D].
        train_labels: int [N], in [0, num_classes). What is drawn from.
        test_features: float [M, D].
        test_labels: int [M].
        num_classes: int, L.
        num_labels: int >= 1, k.
        num_draws: int >= 1.
        seed: int. Of the draws.
        strength: float > 0, see `RidgeProbe`. Default: of every draw the one
            that is best when each of its images is left out in turn; 0.01
            for k = 1, where that would leave a class out.

    Returns:
        list of float in [0, 1], one for each draw.

    Raises:
        ValueError: a class has fewer than `num_labels` images, `num_labels`
            or `num_draws` is less than 1, or `strength` is not positive.

    Source: draws of k labels with a closed-form classifier as in big_vision,
        evaluators/fewshot_lsr.py. Differs from it: the strength, which is
        fixed there.
    """
    if num_draws < 1:
        raise ValueError(
            f"`num_draws` must be at least 1. Received: {num_draws}."
        )
    train_features = np.asarray(train_features)
    train_labels = np.asarray(train_labels)
    test_features = np.asarray(test_features, np.float64)
    accuracies = []
    for draw in range(num_draws):
        rows = draw_few(train_labels, num_labels, num_classes, seed, draw)
        probe = ridge.RidgeProbe(
            train_features[rows], train_labels[rows], num_classes
        )
        if strength is not None:
            chosen = strength
        elif num_labels > 1:
            chosen = probe.best_strength()
        else:
            chosen = _STRENGTH_OF_ONE
        predictions = probe.predict(test_features, chosen)
        accuracies.append(float(np.mean(predictions == test_labels)))
    return accuracies
