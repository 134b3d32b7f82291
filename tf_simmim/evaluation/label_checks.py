"""Rules that labels of a probe have to keep."""

import numpy as np


def require_labels(labels, num_classes) -> np.ndarray:
    """Returns training labels that all lie in [0, `num_classes`).

    Args:
        labels: int [N].
        num_classes: int.

    Returns:
        int64 [N].

    Raises:
        ValueError: there are none, or one is out of range.
    """
    labels = np.asarray(labels, np.int64)
    if not labels.size:
        raise ValueError("`train_labels` must not be empty. Received: none.")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"`train_labels` must lie in [0, {num_classes}). Received labels "
            f"from {labels.min()} to {labels.max()}."
        )
    return labels


def require_every_class(labels, num_classes, num_labels=1) -> np.ndarray:
    """Returns labels of which every class has enough.

    Args:
        labels: int [N].
        num_classes: int.
        num_labels: int. Images that every class must have.

    Returns:
        int64 [N].

    Raises:
        ValueError: a label is out of range, or a class has fewer; the message
            names the smallest and its number.
    """
    labels = require_labels(labels, num_classes)
    counts = np.bincount(labels, minlength=num_classes)
    smallest = int(counts.argmin())
    if counts[smallest] < num_labels:
        raise ValueError(
            f"`train_labels` must have {num_labels} or more images of every "
            f"class. Received: {counts[smallest]} of class {smallest}."
        )
    return labels


def require_rows(features, labels, num_classes):
    """Returns what a linear probe learns from.

    Args:
        features: [N, D].
        labels: int [N], each class at least once.
        num_classes: int.

    Returns:
        (float64 [N, D], int64 [N]).

    Raises:
        ValueError: as of `require_every_class`, or there is not one label for
            each row.
    """
    features = np.asarray(features, np.float64)
    labels = require_every_class(labels, num_classes)
    if features.ndim != 2 or len(features) != len(labels):
        raise ValueError(
            "`features` must be [N, D], with one label for each of the N. "
            f"Received: {features.shape} and {len(labels)} labels."
        )
    return features, labels
