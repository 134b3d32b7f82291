"""The hidden units of an MLP: fewer of them.

Dimension key:
  D: width of the tokens   Q: hidden width of the MLP
"""

import numpy as np

from tf_simmim.compression import compensation
from tf_simmim.compression import selection


class MLPUnits:
    """The hidden units of an MLP, of which the first of an order stay.

    Args:
        weights: dict as of `block_weights.read`.
        hidden: `Moments` of the units.
        scale: float [D]. What multiplies the MLP's output.
        order: int [Q], the units, those to keep first.
        compensate: bool. Whether the units that stay take over what the others
            did; else that is lost.

    Attributes:
        width: int, Q.
        errors: float64 [Q + 1]. The share of the output's variance that is
            lost at each width.
        order: int [Q].
    """

    def __init__(self, weights, hidden, scale, order, compensate=True):
        self._weights = weights
        self._hidden = hidden
        self._compensate = compensate
        self.order = order
        self.width = len(order)
        self._scaled_kernel = weights["project_kernel"] * scale
        self.errors = selection.residual_shares(
            hidden.covariance, self._scaled_kernel, order
        )

    def narrow(self, width: int) -> dict:
        """Returns the weights that change, in a network of that width."""
        kept, kernel, bias = self._reduced(width)
        return {
            "expand_kernel": self._weights["expand_kernel"][:, kept],
            "expand_bias": self._weights["expand_bias"][kept],
            "project_kernel": kernel,
            "project_bias": bias,
        }

    def masked(self, width: int) -> dict:
        """Returns the weights that change, in the shapes of the original."""
        kept, kernel, bias = self._reduced(width)
        whole = np.zeros_like(self._weights["project_kernel"])
        whole[kept] = kernel
        return {"project_kernel": whole, "project_bias": bias}

    def information(self, width: int) -> float:
        """Returns what the units that stay tell about the output, in nats."""
        return selection.mutual_information(
            self._hidden.covariance, self._scaled_kernel, self.order[:width]
        )

    def _reduced(self, width):
        kept = np.sort(self.order[:width])
        kernel = self._weights["project_kernel"]
        bias = self._weights["project_bias"]
        if not self._compensate:
            return kept, kernel[kept], bias
        if width == self.width:
            return kept, kernel, bias
        encoder = np.eye(self.width)[:, kept]
        return kept, *compensation.compensated(
            self._hidden, encoder, kernel, bias
        )
