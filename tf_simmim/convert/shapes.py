"""What the names and shapes of weights tell about a network.

Dimension key:
  K: num_heads   R: rows of a table of relative position biases
"""

import math
import re
from collections.abc import Mapping

import numpy as np


def shape_of(
    weights: Mapping[str, np.ndarray], name: str, num_dimensions: int
) -> tuple[int, ...]:
    """Returns the shape of a weight that the network cannot be without.

    Raises:
        ValueError: it is not there, or has another number of dimensions.
    """
    shape = np.shape(weights[name]) if name in weights else None
    if shape is None or len(shape) != num_dimensions or 0 in shape:
        raise ValueError(
            f"`weights` must have {name} with {num_dimensions} dimensions, "
            "which tells the size of the network. Received shape: "
            f"{'none: it is missing' if shape is None else shape}."
        )
    return shape


def count(weights: Mapping[str, np.ndarray], before: str, after: str) -> int:
    """Returns how many numbers 0, 1, 2, ... follow `before` in names.

    Args:
        weights: {name: array}.
        before: str, e.g. "blocks.".
        after: str that follows the number, e.g. ".norm1.weight".

    Raises:
        ValueError: there is none, or one is left out.
    """
    pattern = re.compile(
        re.escape(before) + r"(\d{1,4})" + re.escape(after), re.ASCII
    )
    matches = [pattern.fullmatch(name) for name in weights]
    numbers = sorted(int(match[1]) for match in matches if match)
    if not numbers or numbers != list(range(len(numbers))):
        raise ValueError(
            f"`weights` must have {before}N{after} for N = 0, 1, 2, ... "
            f"Received: {numbers or 'none'}."
        )
    return len(numbers)


def square_side(area: int) -> int | None:
    """Returns the side of a square of an area, None where there is none."""
    side = math.isqrt(max(area, 0))
    return side if side * side == area else None


def table_window(
    num_rows: int, expected: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Returns the window of a table of relative position biases.

        R = (2h - 1)(2w - 1)

    Args:
        num_rows: int, R, without the rows of a class token.
        expected: (h, w) where it is known, else None: then a square is
            looked for.

    Returns:
        (h, w), or None where it does not have as many rows.
    """
    if expected is not None:
        h, w = expected
        return expected if (2 * h - 1) * (2 * w - 1) == num_rows else None
    side = square_side(num_rows)
    if side is None or side % 2 == 0:
        return None
    return ((side + 1) // 2,) * 2
