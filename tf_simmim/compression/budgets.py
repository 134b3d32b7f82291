"""How narrow each part becomes, for a size or for a distance of the answers.

A path is a function of t in [0, 1] that gives widths, {part: tuple of int}:
those of the original at 0, and 1 everywhere at 1; they never grow on the way.
"""

import math

import numpy as np

# Each costs a forward pass over all images.
_NUM_HALVINGS = 12
# Of sizes, which cost nothing to count.
_NUM_EXACT_HALVINGS = 60
# Prices of the whole network lie between powers of e, of this and its negative.
_LOG_PRICES = 30.0


def uniform_path(full):
    """Returns the path on which all widths are the same share of the full ones.

    Args:
        full: {part: tuple of int}, the widths of the original.
    """

    def widths(t):
        return {
            part: tuple(max(1, round((1 - t) * width)) for width in dims)
            for part, dims in full.items()
        }

    return widths


def guided_path(sensitivities, rates, full):
    """Returns the path of least KL + price * cost, as it is foretold, by price.

    Args:
        sensitivities: `Sensitivities`.
        rates: as of `Costs`.
        full: as of `uniform_path`.
    """
    # Of all widths together.
    whole = sum(
        float(rates[part] @ np.array(dims)) for part, dims in full.items()
    )

    def widths(t):
        if t == 0:
            return full
        if t == 1:
            return {part: (1,) * len(dims) for part, dims in full.items()}
        price = math.exp(_LOG_PRICES * (2 * t - 1)) / whole
        return sensitivities.widths(rates, price)

    return widths


def for_cost(path, costs, most: float) -> dict:
    """Returns the widest widths on a path that cost at most so much.

    Those at the end of the path where none costs so little.

    Args:
        path: function, see above.
        costs: `Costs`.
        most: float.
    """

    def is_small(widths):
        return costs.total(widths) <= most

    return path(0.0 if is_small(path(0.0)) else _turn(path, is_small)[1])


def for_kl(path, measure, most: float) -> dict:
    """Returns the narrowest widths on a path with at most so much KL.

    Args:
        path: function, see above.
        measure: function (widths) -> KL of the answers, float.
        most: float >= 0, nats.
    """

    def is_far(widths):
        return not measure(widths) <= most

    if not is_far(path(1.0)):
        return path(1.0)
    return path(_turn(path, is_far, _NUM_HALVINGS)[0])


def _turn(path, is_beyond, num_halvings=_NUM_EXACT_HALVINGS):
    """Returns the last t that is not beyond something, and the first that is.

    As near as halving comes, from 0, which is not, and 1, which is.
    """
    low, high = 0.0, 1.0
    for _ in range(num_halvings):
        middle = 0.5 * (low + high)
        if is_beyond(path(middle)):
            high = middle
        else:
            low = middle
    return low, high
