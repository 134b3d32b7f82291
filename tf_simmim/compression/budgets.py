"""How narrow each part becomes, for a size or for a distance of the answers."""

import math

import numpy as np

# Each costs a forward pass over all images.
_NUM_HALVINGS = 12
# Of sizes, which cost nothing to count.
_NUM_EXACT_HALVINGS = 60
# Prices of the whole network lie between powers of e, of this and its negative.
_LOG_PRICES = 30.0


class Path:
    """Widths from those of the original to 1 everywhere, by one number.

    A base class: `at` gives the widths at t, in [0, 1], which become less or
    stay the same as t grows.
    """

    def at(self, t: float) -> dict:
        """Returns the widths at t."""
        raise NotImplementedError

    def around(self, is_beyond, num_halvings: int):
        """Returns the widths on both sides of where something begins.

        Args:
            is_beyond: function (widths) -> bool, False first, then True.
            num_halvings: int.

        Returns:
            (widths, widths): the last that are not beyond and the first that
            are, as near as that many halvings come; (widths of all, None)
            where none is.
        """
        low, high = 0.0, 1.0
        if is_beyond(self.at(low)):
            return None, self.at(low)
        if not is_beyond(self.at(high)):
            return self.at(high), None
        for _ in range(num_halvings):
            middle = 0.5 * (low + high)
            if is_beyond(self.at(middle)):
                high = middle
            else:
                low = middle
        return self.at(low), self.at(high)


class UniformPath(Path):
    """The same share of every width.

    Args:
        full: {part: tuple of int}, the widths of the original.
    """

    def __init__(self, full):
        self._full = full

    def at(self, t):
        return {
            part: tuple(max(1, round((1 - t) * width)) for width in dims)
            for part, dims in self._full.items()
        }


class GuidedPath(Path):
    """The widths of least KL + price * cost, as it is foretold, by price.

    Args:
        sensitivities: `Sensitivities`.
        rates: as of `Costs`.
        full: as of `UniformPath`.
    """

    def __init__(self, sensitivities, rates, full):
        self._sensitivities = sensitivities
        self._rates = rates
        self._full = full
        # Of all widths together.
        self._whole = sum(
            float(rates[part] @ np.array(dims)) for part, dims in full.items()
        )

    def at(self, t):
        if t == 0:
            return self._full
        if t == 1:
            return {part: (1,) * len(dims) for part, dims in self._full.items()}
        price = math.exp(_LOG_PRICES * (2 * t - 1)) / self._whole
        return self._sensitivities.widths(self._rates, price)


def for_cost(path, costs, most: float) -> dict:
    """Returns the widest widths on a path that cost at most so much.

    Raises:
        ValueError: none costs so little.
    """
    _, found = path.around(
        lambda widths: costs.total(widths) <= most, _NUM_EXACT_HALVINGS
    )
    return found


def for_kl(path, measure, most: float) -> dict:
    """Returns the narrowest widths on a path with at most so much KL.

    Args:
        path: `Path`.
        measure: function (widths) -> KL of the answers, float.
        most: float >= 0, nats.
    """
    found, _ = path.around(
        lambda widths: not measure(widths) <= most, _NUM_HALVINGS
    )
    return found
