"""How far two answers of a model are apart."""

import numpy as np
import tensorflow as tf

_PNG_ALIAS = "_png_bytes"


def answer_problems(got: dict, want: dict, tolerance: float) -> list[str]:
    """Returns in what an answer differs from the one that was expected.

    Floats may differ by `tolerance` times the largest number expected, or 1
    if that is less; pictures by one level, or by `tolerance` of the 255.
    What is whole, such as names of classes, is compared for `tolerance` up to
    1e-3 only: rounding in 16 bits turns the order of close scores round.

    Args:
        got: {alias: array}.
        want: {alias: array}.
        tolerance: float > 0.

    Returns:
        list of str.
    """
    if set(got) != set(want):
        return [f"outputs {sorted(got)} instead of {sorted(want)}"]
    result = []
    for alias in sorted(want):
        distance = _distance(alias, got[alias], want[alias], tolerance)
        if distance is None:
            result.append(
                f"{alias} is {got[alias].dtype} {got[alias].shape} instead of "
                f"{want[alias].dtype} {want[alias].shape}"
            )
        elif not distance <= 1:  # nor NaN
            result.append(
                f"{alias} is {distance:.3g} times the tolerance of "
                f"{tolerance:g} away"
            )
    return result


def largest_difference(got: dict, want: dict) -> float:
    """Returns the largest difference of floats, relative as above; or 0."""
    return max(
        (
            _relative(got[alias], want[alias])
            for alias in want
            if _is_float(want[alias]) and got[alias].shape == want[alias].shape
        ),
        default=0.0,
    )


def _distance(alias, got, want, tolerance):
    """Returns a number that must not exceed 1; None for other shapes."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return None
    if _is_float(want):
        return _relative(got, want) / tolerance
    if alias.endswith(_PNG_ALIAS):
        pairs = zip(got.ravel(), want.ravel(), strict=True)
        allowed = max(1.0, 255.0 * tolerance)
        return max(
            (_picture_distance(*pair) / allowed for pair in pairs), default=0.0
        )
    if tolerance > 1e-3:
        return 0.0
    return 0.0 if np.array_equal(got, want) else np.inf


def _is_float(array):
    return array.dtype.kind == "f"


def _relative(got, want):
    if not want.size:
        return 0.0
    largest = max(1.0, float(np.max(np.abs(want))))
    return float(np.max(np.abs(got - want))) / largest


def _picture_distance(got, want):
    got, want = (tf.io.decode_png(each).numpy() for each in (got, want))
    if got.shape != want.shape:
        return np.inf
    return np.max(np.abs(got.astype(int) - want.astype(int)))
