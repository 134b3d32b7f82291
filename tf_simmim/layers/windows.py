"""Cutting a feature map into windows, shifted or not, and back.

Dimension key:
  B: batch   h w: feature map   D: width   Y X: window, in cells
  h' w': the map, padded to whole windows   W: windows = (h'/Y)(w'/X)
  M: cells of a window = Y*X, row-major
"""

import numpy as np
import tensorflow as tf


def padded_size(
    grid_size: tuple[int, int], window_size: tuple[int, int]
) -> tuple[int, int]:
    """Returns (h', w'): the map's size, rounded up to whole windows."""
    return tuple(
        -(-side // window) * window
        for side, window in zip(grid_size, window_size, strict=True)
    )


def to_windows(feature_map, window_size, shift) -> tf.Tensor:
    """Pads and shifts a feature map, and cuts it into windows.

    Args:
        feature_map: [B, h, w, D] with known h, w and D.
        window_size: (Y, X), cells.
        shift: (int, int), cells. How far windows lie to the bottom and right
            of the unshifted ones; what falls off comes in from the other
            side.

    Returns:
        [B * W, M, D], the windows of one image after another, row-major.
    """
    _, h, w, width = feature_map.shape
    height, length = padded_size((h, w), window_size)
    padding = [[0, 0], [0, height - h], [0, length - w], [0, 0]]
    if (height, length) != (h, w):
        feature_map = tf.pad(feature_map, padding)
    if any(shift):
        feature_map = tf.roll(feature_map, [-shift[0], -shift[1]], [1, 2])
    y, x = window_size
    windows = tf.reshape(
        feature_map, [-1, height // y, y, length // x, x, width]
    )
    windows = tf.transpose(windows, [0, 1, 3, 2, 4, 5])
    return tf.reshape(windows, [-1, y * x, width])  # [B * W, M, D]


def from_windows(windows, grid_size, window_size, shift) -> tf.Tensor:
    """Puts windows together again; the inverse of `to_windows`.

    Args:
        windows: [B * W, M, D].
        grid_size: (h, w), the feature map's size, cells.
        window_size: (Y, X), cells.
        shift: as for `to_windows`.

    Returns:
        [B, h, w, D].
    """
    (h, w), (y, x) = grid_size, window_size
    height, length = padded_size(grid_size, window_size)
    width = windows.shape[-1]
    feature_map = tf.reshape(
        windows, [-1, height // y, length // x, y, x, width]
    )
    feature_map = tf.transpose(feature_map, [0, 1, 3, 2, 4, 5])
    feature_map = tf.reshape(feature_map, [-1, height, length, width])
    if any(shift):
        feature_map = tf.roll(feature_map, list(shift), [1, 2])
    return feature_map[:, :h, :w]  # [B, h, w, D]


def neighbours(grid_size, window_size, shift) -> np.ndarray:
    """Tells which cells of a window really lie together in the image.

    Padding makes cells that are no part of the image, and shifting brings
    cells from opposite sides into one window. Neither must be attended to.

    Args:
        grid_size: (h, w), the feature map's size, cells.
        window_size: (Y, X), cells.
        shift: as for `to_windows`.

    Returns:
        bool [W, M, M]: whether a cell may attend to another. Padding attends
        to padding, so that no row is empty.
    """
    rows, columns = (
        _regions(side, window, offset)
        for side, window, offset in zip(
            grid_size, window_size, shift, strict=True
        )
    )
    region = 2 * rows[:, np.newaxis] + columns
    is_padding = (rows[:, np.newaxis] < 0) | (columns < 0)
    region = np.where(is_padding, -1, region)  # [h', w'], shifted
    y, x = window_size
    height, length = region.shape
    region = region.reshape(height // y, y, length // x, x)
    region = region.transpose(0, 2, 1, 3).reshape(-1, y * x)  # [W, M]
    return region[:, :, np.newaxis] == region[:, np.newaxis]


def _regions(side, window, shift):
    """Returns, per cell along one axis: 0, 1 came around, -1 padding."""
    padded = -(-side // window) * window
    position = np.arange(padded) + shift
    region = (position >= padded).astype(np.int64)
    return np.where(position % padded >= side, -1, region)
