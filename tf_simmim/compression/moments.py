"""First and second moments of activations, summed batch by batch in float64.

Dimension key:
  n: rows   D: width   ...: e.g. heads, each with moments of its own
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Moments:
    """Moments of vectors x.

    Attributes:
        count: int. How many vectors.
        mean: float64 [..., D]. E[x].
        second: float64 [..., D, D]. E[x x^T].
    """

    count: int
    mean: np.ndarray
    second: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """E[(x - E[x]) (x - E[x])^T], float64 [..., D, D]."""
        outer = self.mean[..., :, np.newaxis] * self.mean[..., np.newaxis, :]
        return self.second - outer


class MomentSums:
    """Sums of vectors and of their products, over batches.

    About the first batch's mean, so that a mean far from zero costs no digits.
    """

    def __init__(self):
        self._count = 0
        self._origin = None

    def add(self, rows) -> None:
        """Adds rows, float [..., n, D]."""
        rows = np.asarray(rows, np.float64)
        if self._origin is None:
            self._origin = rows.mean(axis=-2)
            width = rows.shape[-1]
            self._sum = np.zeros_like(self._origin)
            self._products = np.zeros((*self._origin.shape, width))
        rows = rows - self._origin[..., np.newaxis, :]
        self._count += rows.shape[-2]
        self._sum += rows.sum(axis=-2)
        self._products += np.swapaxes(rows, -1, -2) @ rows

    def result(self) -> Moments:
        """Returns the moments of all rows so far; there must be one."""
        shift = self._sum / self._count
        mean = self._origin + shift
        centred = self._products / self._count
        centred -= shift[..., :, np.newaxis] * shift[..., np.newaxis, :]
        outer = mean[..., :, np.newaxis] * mean[..., np.newaxis, :]
        return Moments(self._count, mean, centred + outer)
