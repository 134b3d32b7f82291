"""What removed units did, done by those that stay: in closed form, no training.

Dimension key:
  Q: units of a layer   k: those that stay   D: width of its output
"""

import numpy as np
from scipy import linalg

# Over the mean variance of the units that stay.
_RIDGE = 1e-6


def compensated(moments, encoder, kernel, bias):
    """Returns kernel and bias of a layer that reads fewer units.

    Of the units h the layer sees h E from now on. The best affine guess of h
    by that, with mean m and covariance C,

        h ~ m + (h E - m E) B,   B = (E^T C E + r I)^-1 E^T C

    put into y = h W + b, gives

        W' = B W,   b' = b + (m - m E B) W

    Units that depend on those that stay are so removed without loss. For E of
    columns of the identity, units are removed one by one.

    Args:
        moments: `Moments` of the units.
        encoder: float [Q, k], E.
        kernel: float [Q, D], W.
        bias: float [D], b.

    Returns:
        (float64 [k, D], float64 [D]).

    Source: least squares; for pruned transformers CORP, 2026,
        https://arxiv.org/abs/2602.05243.
    """
    covariance = moments.covariance
    told = encoder.T @ covariance  # [k, Q]
    of_kept = told @ encoder
    width = len(of_kept)
    ridge = max(_RIDGE * np.trace(of_kept) / width, 1e-30)
    of_kept[np.diag_indices_from(of_kept)] += ridge
    decoder = linalg.solve(of_kept, told, assume_a="pos")  # B [k, Q]
    rest = moments.mean - moments.mean @ encoder @ decoder
    return decoder @ kernel, bias + rest @ kernel
