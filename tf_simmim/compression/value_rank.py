"""Values of an attention: of a lower rank.

Dimension key:
  D: width of the tokens   K: num_heads   V: width of one head's values
"""

import numpy as np

from tf_simmim.compression import compensation
from tf_simmim.compression import low_rank


class ValueRank:
    """The directions of each head's values that its output needs.

    Values are projected before they are read: a head reads means of values,
    which are as many directions. What the others told is taken over by those
    of all heads.

    Args:
        weights: dict as of `block_weights.read`.
        heads: `Moments` of what the heads read, [K * V].
        scale: float [D]. What multiplies the attention's output.

    Attributes:
        width: int, V.
        errors: float64 [V + 1]. The share of the output's variance that is
            lost at each rank, of each head by itself.
    """

    def __init__(self, weights, heads, scale):
        self._weights = weights
        self._moments = heads
        kernel = weights["output_kernel"]
        num_heads, self.width, _ = kernel.shape
        covariance = heads.covariance.reshape(
            num_heads, self.width, num_heads, self.width
        )
        scaled = kernel * scale
        self._heads = [
            low_rank.ProductDirections(
                covariance[i, :, i], scaled[i] @ scaled[i].T
            )
            for i in range(num_heads)
        ]
        self.errors = low_rank.shares(sum(head.errors for head in self._heads))

    def narrow(self, width: int) -> dict:
        """As of `MLPUnits`."""
        encoders, kernel, bias = self._reduced(width)
        return {
            **low_rank.projected(self._weights, "value", encoders),
            "output_kernel": kernel,
            "output_bias": bias,
        }

    def masked(self, width: int) -> dict:
        """As of `MLPUnits`."""
        encoders, kernel, bias = self._reduced(width)
        return {"output_kernel": encoders @ kernel, "output_bias": bias}

    def _reduced(self, width):
        """Returns ([K, V, width], output kernel, output bias)."""
        # Any basis of the directions will do: one of unit vectors is exact.
        encoders = np.stack(
            [np.linalg.qr(head.factors(width)[0])[0] for head in self._heads]
        )
        num_heads, full, _ = encoders.shape
        joint = np.zeros((num_heads, full, num_heads, width))
        for i, encoder in enumerate(encoders):
            joint[i, :, i] = encoder
        kernel, bias = compensation.compensated(
            self._moments,
            joint.reshape(num_heads * full, -1),
            self._weights["output_kernel"].reshape(num_heads * full, -1),
            self._weights["output_bias"],
        )
        return encoders, kernel.reshape(num_heads, width, -1), bias
