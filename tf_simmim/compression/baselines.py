"""Simple scores of units, one by one: what joint selection is compared with.

Dimension key:
  Q: units   D: width of the layer's output   n: images   L: classes
"""

import numpy as np

BASELINES = (
    "random",
    "magnitude",
    "activation",
    "taylor",
    "entropy",
    "marginal",
)
_ENTROPY_BINS = 32
_MARGINAL_BINS = 8


def magnitude(expand_kernel, project_kernel) -> np.ndarray:
    """Returns the product of the lengths of both kernels, of each unit.

    Args:
        expand_kernel: float [D, Q].
        project_kernel: float [Q, D].

    Returns:
        float [Q].
    """
    lengths = np.linalg.norm(expand_kernel, axis=0)
    return lengths * np.linalg.norm(project_kernel, axis=1)


def activation(moments) -> np.ndarray:
    """Returns the root of the mean square of each unit, float [Q]."""
    return np.sqrt(np.diagonal(moments.second))


def taylor(project_kernel, gradients) -> np.ndarray:
    """Returns how much the loss changes, to first order, without each unit.

        |sum_t h[t, j] dL/dh[t, j]| = |W[j] . dL/dW[j]|,   y = h W + b

    over the tokens t of a batch; the mean over batches.

    Args:
        project_kernel: float [Q, D], W.
        gradients: sequence of float [Q, D], of the loss of each batch.

    Returns:
        float [Q].

    Source: Molchanov et al., Importance Estimation for Neural Network
        Pruning, 2019, https://arxiv.org/abs/1906.10771, section 3.1.
    """
    changes = [np.abs(np.sum(project_kernel * g, axis=1)) for g in gradients]
    return np.mean(changes, axis=0)


def entropy(activations) -> np.ndarray:
    """Returns the entropy of each unit, in nats.

    Of a histogram of 32 bins, from the least to the largest number in the
    layer.

    Args:
        activations: float [n, Q].

    Returns:
        float [Q].
    """
    low, high = np.min(activations), np.max(activations)
    scaled = (activations - low) / max(high - low, 1e-30)
    bins = np.minimum((scaled * _ENTROPY_BINS).astype(int), _ENTROPY_BINS - 1)
    return _entropies(bins, _ENTROPY_BINS)


def marginal_information(activations, classes) -> np.ndarray:
    """Returns what each unit tells by itself of the classes, in nats.

        I(h_j; c) = H(h_j) + H(c) - H(h_j, c)

    with h_j in eight bins of about as many images each, and the bias of these
    entropies removed as by Miller and Madow.

    Args:
        activations: float [n, Q].
        classes: int [n], of 0 and more.

    Returns:
        float [Q]; may be a little below 0 by chance.
    """
    shares = np.arange(1, _MARGINAL_BINS) / _MARGINAL_BINS
    edges = np.quantile(activations, shares, axis=0)
    bins = sum((activations > edge).astype(np.int64) for edge in edges)
    num_classes = int(np.max(classes)) + 1
    joint = bins * num_classes + classes[:, np.newaxis]
    of_classes = np.broadcast_to(classes[:, np.newaxis], bins.shape)
    return (
        _corrected(bins, _MARGINAL_BINS)
        + _corrected(of_classes, num_classes)
        - _corrected(joint, _MARGINAL_BINS * num_classes)
    )


def _counts(bins, num_bins):
    """Returns how often each bin is met in each column, [num_bins, Q]."""
    width = bins.shape[1]
    flat = bins + num_bins * np.arange(width)
    counts = np.bincount(flat.ravel(), minlength=num_bins * width)
    return counts.reshape(width, num_bins).T


def _entropies(bins, num_bins):
    shares = _counts(bins, num_bins) / len(bins)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return -np.sum(shares * logs, axis=0)


def _corrected(bins, num_bins):
    counts = _counts(bins, num_bins)
    missing = (np.sum(counts > 0, axis=0) - 1) / (2 * len(bins))
    return _entropies(bins, num_bins) + missing
