"""The few directions that a product of two things needs.

Dimension key:
  K: num_heads   E: width of one head   r: rank that is kept
"""

import numpy as np
from scipy import linalg

# Least variance of a direction, over the mean: beyond is rounding.
_NOISE = 1e-6


class ProductDirections:
    """Directions in which x . y matters, for one pair of second moments.

    For vectors x and y of width E with E[x x^T] = X and E[y y^T] = Y, it finds
    matrices A and B [E, r] for which (x A) . (y B) is nearest to x . y in the
    mean of squares, over x and y that are drawn apart:

        L_x^T L_y = U S V^T,   X = L_x L_x^T,  Y = L_y L_y^T
        A = L_x^-T U_r S_r^(1/2),   B = L_y^-T V_r S_r^(1/2)

    The error is the sum of the squares of the other singular values, and both
    sides are as large.

    Args:
        x: float [E, E]. X; of queries, or of values that a projection reads.
        y: float [E, E]. Y; of keys, or what the projection makes of them.

    Attributes:
        errors: float64 [E + 1]. Mean of squares lost at each rank.

    Source: Eckart and Young, 1936, in the metric of both moments.
    """

    def __init__(self, x, y):
        (root_x, self._inverse_x), (root_y, self._inverse_y) = (
            _roots(moments) for moments in (x, y)
        )
        self._u, self._s, transposed = linalg.svd(root_x.T @ root_y)
        self._v = transposed.T
        squares = self._s[::-1] ** 2
        self.errors = np.concatenate([[0.0], np.cumsum(squares)])[::-1]

    def factors(self, rank: int):
        """Returns (A, B), each float64 [E, rank]."""
        root = np.sqrt(self._s[:rank])
        return (
            self._inverse_x @ (self._u[:, :rank] * root),
            self._inverse_y @ (self._v[:, :rank] * root),
        )


def _roots(matrix):
    """Returns (L, L^-T) with L L^T = matrix, which may be singular."""
    values, vectors = linalg.eigh(np.asarray(matrix, np.float64))
    least = max(_NOISE * np.sum(values) / len(values), 1e-30)
    roots = np.sqrt(np.maximum(values, least))
    return vectors * roots, vectors / roots


def shares(errors) -> np.ndarray:
    """Returns errors at each width as shares of that at width 0."""
    total = errors[0]
    return errors / total if total > 0 else np.zeros_like(errors)


def projected(weights, side: str, maps) -> dict:
    """Returns kernel and bias of one side of an attention, times a map.

    Args:
        weights: dict as of `block_weights.read`.
        side: "query", "key" or "value".
        maps: float [K, E, r], of each head.

    Returns:
        dict of what of `weights` changes.
    """
    kernel = np.einsum("dke,ker->dkr", weights[f"{side}_kernel"], maps)
    found = {f"{side}_kernel": kernel}
    if f"{side}_bias" in weights:
        found[f"{side}_bias"] = np.einsum(
            "ke,ker->kr", weights[f"{side}_bias"], maps
        )
    return found
