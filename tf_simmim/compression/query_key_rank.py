"""Queries and keys of an attention: of a lower rank.

Dimension key:
  K: num_heads   E: width of one head's queries and keys
"""

import numpy as np

from tf_simmim.compression import low_rank


class QueryKeyRank:
    """The rank of the products of queries and keys, the same in every head.

    Softmax does not see what is added to all logits of a query alike, so keys
    count by how they differ within an image. A key's bias changes nothing; a
    query's is part of the query, and a bias of positions stays as it is.

    Args:
        weights: dict as of `block_weights.read`.
        queries: float [K, E, E]. Their second moments.
        keys: float [K, E, E]. Their covariances within an image.

    Attributes:
        width: int, E.
        errors: float64 [E + 1]. The share of the logits' variance, among the
            keys of a query, that is lost at each rank.
    """

    _SIDES = ("query", "key")

    def __init__(self, weights, queries, keys):
        self._weights = weights
        self._heads = [
            low_rank.ProductDirections(*pair)
            for pair in zip(queries, keys, strict=True)
        ]
        self.width = queries.shape[-1]
        self.errors = low_rank.shares(sum(head.errors for head in self._heads))

    def narrow(self, width: int) -> dict:
        """As of `MLPUnits`."""
        # Logits are divided by the root of the width.
        scale = np.sqrt(width / self.width)
        queries, keys = self._factors(width)
        return {
            **low_rank.projected(self._weights, "query", scale * queries),
            **low_rank.projected(self._weights, "key", keys),
        }

    def masked(self, width: int) -> dict:
        """As of `MLPUnits`."""
        queries, keys = self._factors(width)
        return low_rank.projected(
            self._weights, "query", queries @ np.swapaxes(keys, 1, 2)
        )

    def _factors(self, width):
        """Returns both factors of all heads, each [K, E, width]."""
        pairs = [head.factors(width) for head in self._heads]
        return tuple(np.stack(side) for side in zip(*pairs, strict=True))
