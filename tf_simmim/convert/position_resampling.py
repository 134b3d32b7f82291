"""Learned positions for another grid or window.

Dimension key:
  h w: grid or window, in cells   K: num_heads   D: embed_dim
  R: rows of a table = (2h - 1)(2w - 1), + 3 with the class token
  n: largest offset along an axis = its cells - 1
"""

import numpy as np
import scipy  # Its parts are imported where they are used: 0.1 s.
import tensorflow as tf

METHODS = ("geometric", "geometric_crop")
# Where the reference looks for the ratio, and how closely.
_REFERENCE_RATIOS = (1.01, 1.5)
_REFERENCE_PRECISION = 1e-6


def resample_relative_position_bias(
    table,
    source_window,
    target_window,
    method: str = "geometric",
    degree: int = 3,
) -> np.ndarray:
    """Returns the relative position biases of one window for another.

    The known offsets 1, 2, 3, ... of a window are laid out at 1, 1 + r,
    1 + r + r^2, ... cells of the new one, along each axis and to both sides,
    and a cubic spline through them is read at whole cells. So the nearest
    cells keep their bias almost, and far ones are stretched or squeezed.

    * "geometric": the ratio r is the one that brings the largest offset to the
      largest of the new window: above 1 where it is larger, below 1 where it
      is smaller. (New windows of less than 3 cells are rescaled evenly.)
    * "geometric_crop": the reference's. Its r lies between 1.01 and 1.5, so
      that windows that become smaller lose their largest offsets, and ones
      that grow too much repeat them. Take it to repeat published numbers.

    Args:
        table: float [R, K]. Row-major over (row offset, column offset), as in
            `layers.RelativePositionBias`; rows of a class token at the end are
            kept as they are.
        source_window: (h, w), cells. The window that the table belongs to.
        target_window: (h, w), cells.
        method: str, one of `METHODS`.
        degree: 3 for the spline; or 1 for straight lines between the known
            offsets, so that no value is outside of its neighbours' (for the
            state of optimizers).

    Returns:
        float [R', K], of the table's dtype.

    Raises:
        ValueError: `method` is unknown, or the table is not one of this
            window, with the rows of a class token or without.

    Source: https://github.com/microsoft/SimMIM, utils.py, for "geometric_crop"
        (for square windows; others here axis by axis).
    """
    if method not in METHODS:
        raise ValueError(
            f"`method` must be one of {METHODS}. Received: {method!r}."
        )
    table = np.asarray(table)
    shape = [2 * side - 1 for side in source_window]
    num_rows = shape[0] * shape[1]
    if table.ndim != 2 or len(table) not in (num_rows, num_rows + 3):
        raise ValueError(
            f"`table` must be [{num_rows}, num_heads] for windows of "
            f"{tuple(source_window)} cells, with 3 rows more for a class "
            f"token. Received shape: {table.shape}."
        )
    table, class_rows = table[:num_rows], table[num_rows:]
    biases = table.reshape(*shape, -1).astype(np.float64)
    pairs = zip(source_window, target_window, strict=True)
    for axis, (source, target) in enumerate(pairs):
        if source != target:
            places = offset_positions(source, target, method)
            biases = _read_spline(places, biases, target, axis, degree)
    biases = biases.reshape(-1, table.shape[1]).astype(table.dtype)
    return np.concatenate([biases, class_rows])  # [R', K]


def offset_positions(source: int, target: int, method: str) -> np.ndarray:
    """Returns where the offsets of one window lie in another, along one axis.

    Args:
        source: int > 0, cells.
        target: int > 0, cells.
        method: str, one of `METHODS`.

    Returns:
        float64 [2 * source - 1], increasing, in cells of the target.
    """
    n, new = source - 1, target - 1
    if method == "geometric_crop":
        ratio = _reference_ratio(n, new)
    elif n < 2 or new < 2:
        return np.arange(-n, n + 1) * (max(new, 1) / max(n, 1))
    else:
        ratio = scipy.optimize.brentq(
            lambda r: _steps(r, n).sum() - new, 0.0, new
        )
    side = np.cumsum(_steps(ratio, n))
    return np.concatenate([-side[::-1], [0.0], side])


def resample_position_embedding(
    embedding, source_grid, target_grid, degree: int = 3
) -> np.ndarray:
    """Returns learned absolute positions for another grid, by bicubic resizing.

    Args:
        embedding: float [1, M, D], row-major over the grid; a class token's
            before them is kept as it is.
        source_grid: (h, w), cells.
        target_grid: (h, w), cells.
        degree: 3; or 1 for bilinear resizing, so that no value is outside of
            its neighbours' (for the state of optimizers).

    Returns:
        float [1, M', D].

    Raises:
        ValueError: `embedding` is not one of this grid.
    """
    embedding = np.asarray(embedding)
    num_patches = source_grid[0] * source_grid[1]
    num_tokens = embedding.shape[1] if embedding.ndim == 3 else 0
    if num_tokens - num_patches not in (0, 1):
        raise ValueError(
            f"`embedding` must be [1, {num_patches}, embed_dim] for a grid of "
            f"{tuple(source_grid)} cells, with 1 more for a class token. "
            f"Received shape: {embedding.shape}."
        )
    first = num_tokens - num_patches
    patches = embedding[:, first:].reshape(1, *source_grid, -1)
    patches = tf.image.resize(
        patches,
        target_grid,
        method="bicubic" if degree == 3 else "bilinear",
        antialias=True,
    )
    patches = patches.numpy().reshape(1, -1, embedding.shape[2])
    return np.concatenate([embedding[:, :first], patches], axis=1)


def _steps(ratio, count):
    return ratio ** np.arange(count)


def _reference_ratio(n, new):
    """Returns r by the reference's bisection, with the same rounding."""
    low, high = _REFERENCE_RATIOS
    ratio = low
    while high - low > _REFERENCE_PRECISION:
        ratio = (low + high) / 2
        if _steps(ratio, n).sum() > new:
            high = ratio
        else:
            low = ratio
    return ratio


def _read_spline(places, values, target, axis, degree):
    """Returns the values at a window's whole offsets, along one axis."""
    offsets = np.arange(1.0 - target, target)
    if len(places) == 1:
        return np.repeat(values, len(offsets), axis)
    spline = scipy.interpolate.make_interp_spline(
        places, values, k=min(degree, len(places) - 1), axis=axis
    )
    # Beyond the known offsets the last one is repeated.
    return spline(np.clip(offsets, places[0], places[-1]))
