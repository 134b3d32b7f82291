"""Which units of a layer say most about its output, all of them together.

Dimension key:
  Q: units of the layer   D: width of its output   S: units chosen so far
"""

import numpy as np
from scipy import linalg

CRITERIA = ("logdet", "trace")
# Of a unit's own noise, over the mean variance: what is told by less is none.
UNIT_NOISE = 1e-6
# Of the output's noise, over its mean variance.
_OUTPUT_NOISE = 0.05
# Steps between products of whole matrices.
_STEPS = 48


def joint_order(
    covariance, output_kernel, criterion: str = "logdet"
) -> np.ndarray:
    """Orders units by what each adds to those before it about the output.

    For units h with covariance C and the output z = h W of the layer, with
    noise of a little variance, both Gaussian, it takes in each step the unit j
    with the largest gain, given those chosen, S:

        logdet: I(h_j; z | h_S) = -log(1 - g_j^T Z^-1 g_j / c_jj) / 2, in nats
        trace:  ||g_j||^2 / c_jj, the output variance that it explains

    where c, g and Z are the covariances of units, of units with the output,
    and of the output, that are left when h_S is known. A unit that repeats
    others has no gain once these are chosen, whatever it tells alone.

    The sum of the gains of "logdet" is the mutual information of the chosen
    units with the output. Both cost O(Q^2) for each step: with A = G Z^-1 G^T
    (or G G^T), which a step changes by two squares of vectors, neither G nor Z
    is looked at again.

    Args:
        covariance: float [Q, Q], of the units.
        output_kernel: float [Q, D], W. Scaled as it acts on the network.
        criterion: one of `CRITERIA`.

    Returns:
        int [Q]: a permutation of the units, the most telling first.

    Raises:
        ValueError: `criterion` is unknown.
    """
    if criterion not in CRITERIA:
        raise ValueError(
            f"`criterion` must be one of {CRITERIA}. Received: {criterion!r}."
        )
    residual = _ResidualGains(covariance, output_kernel, criterion)
    chosen, is_left = [], np.ones(len(covariance), bool)
    for _ in range(len(covariance)):
        gains = np.where(is_left, residual.gains(), -np.inf)
        unit = int(np.argmax(gains))
        chosen.append(unit)
        is_left[unit] = False
        residual.condition_on(unit)
    return np.array(chosen, np.int64)


class _ResidualGains:
    """What is left of units' covariances, and of A, once some are known.

    Both are kept as a matrix and a few columns whose squares are still to be
    added to it: matrices are multiplied every `_STEPS` steps alone.
    """

    def __init__(self, covariance, output_kernel, criterion):
        covariance = with_noise(covariance)
        kernel = np.asarray(output_kernel, np.float64)
        to_output = covariance @ kernel  # G [Q, D]
        self._is_logdet = criterion == "logdet"
        if self._is_logdet:
            output = kernel.T @ to_output  # Z [D, D]
            noise = _OUTPUT_NOISE * np.trace(output) / len(output)
            output[np.diag_indices_from(output)] += max(noise, 1e-300)
            lower = linalg.cholesky(output, lower=True)
            to_output = linalg.solve_triangular(
                lower, to_output.T, lower=True
            ).T
        self._c = _Pending(covariance)
        self._a = _Pending(to_output @ to_output.T)

    def gains(self):
        ratio = self._a.diagonal / np.maximum(self._c.diagonal, 1e-300)
        if self._is_logdet:
            return -0.5 * np.log1p(-np.clip(ratio, 0.0, 1 - 1e-15))
        return ratio

    def condition_on(self, unit):
        column = self._c.column(unit)
        scale = np.sqrt(max(column[unit], 1e-300))
        column /= scale  # l
        told = self._a.column(unit) / scale  # u = A[:, j] / sqrt(c_jj)
        share = told[unit] / scale
        self._c.add([column], [-1.0])
        if self._is_logdet:
            left = max(1.0 - share, 1e-12)
            self._a.add([(told - column) / np.sqrt(left), column], [1.0, -1.0])
        else:
            half = told - 0.5 * share * column
            pair = [(column + half) / np.sqrt(2), (column - half) / np.sqrt(2)]
            self._a.add(pair, [-1.0, 1.0])


class _Pending:
    """A symmetric matrix, to which signed squares of vectors are added."""

    def __init__(self, matrix):
        self._matrix = matrix
        self.diagonal = np.diagonal(matrix).copy()
        self._vectors, self._signs = [], []

    def column(self, number):
        column = self._matrix[:, number].copy()
        if self._vectors:
            vectors = np.stack(self._vectors)  # [pending, Q]
            weights = np.array(self._signs) * vectors[:, number]
            column += weights @ vectors
        return column

    def add(self, vectors, signs):
        self._vectors += vectors
        self._signs += signs
        for vector, sign in zip(vectors, signs, strict=True):
            self.diagonal += sign * vector**2
        if len(self._vectors) >= _STEPS:
            stacked = np.stack(self._vectors)
            signed = np.array(self._signs)[:, np.newaxis] * stacked
            self._matrix += stacked.T @ signed
            self._vectors, self._signs = [], []


def with_noise(covariance) -> np.ndarray:
    """Returns the covariance of units with a little noise of their own."""
    covariance = np.array(covariance, np.float64)
    noise = UNIT_NOISE * np.trace(covariance) / len(covariance)
    covariance[np.diag_indices_from(covariance)] += max(noise, 1e-30)
    return covariance


def mutual_information(covariance, output_kernel, units) -> float:
    """Returns what units tell together about the output, in nats.

        I(h_S; z) = (log det Z - log det Z_{z|S}) / 2

    Args:
        covariance: float [Q, Q].
        output_kernel: float [Q, D].
        units: int [k]. S.
    """
    covariance = with_noise(covariance)
    kernel = np.asarray(output_kernel, np.float64)
    to_output = covariance @ kernel
    output = kernel.T @ to_output
    noise = _OUTPUT_NOISE * np.trace(output) / len(output)
    output[np.diag_indices_from(output)] += max(noise, 1e-300)
    of_units = covariance[np.ix_(units, units)]
    told = to_output[units]
    left = output - told.T @ linalg.solve(of_units, told, assume_a="pos")
    before, after = (np.linalg.slogdet(m)[1] for m in (output, left))
    return float(0.5 * (before - after))


def residual_shares(covariance, output_kernel, order) -> np.ndarray:
    """Returns what share of the output's variance is lost at every width.

    With the rest compensated: the output as an affine function of the units
    that are kept.

    Args:
        covariance: float [Q, Q].
        output_kernel: float [Q, D].
        order: int [Q]. A permutation; the first k of it are kept.

    Returns:
        float64 [Q + 1]: for k = 0 (1, all of it) to Q (0).
    """
    covariance = with_noise(covariance)[np.ix_(order, order)]
    lower = linalg.cholesky(covariance, lower=True)
    # Row k of L^T W is what unit k adds to those before it.
    parts = lower.T @ np.asarray(output_kernel, np.float64)[order]
    explained = np.concatenate([[0.0], np.cumsum(np.sum(parts**2, axis=1))])
    total = explained[-1]
    if total <= 0:
        return np.zeros(len(explained))
    return np.clip(1.0 - explained / total, 0.0, 1.0)
