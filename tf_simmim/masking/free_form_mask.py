"""Free-form masks: irregular brush strokes.

Dimension key:
  B: batch   R C: grid of mask patches   n: R*C
  A: strokes   V: segments of a stroke   T: A*V

Geometry is in whole units, eight to a mask patch, from tables made with the
object: the same integers in every mode of execution.
"""

import math

import numpy as np
import tensorflow as tf

from tf_simmim.masking import patch_mask

_UNITS = 8  # sides of a mask patch
_NUM_SEGMENTS = 8  # of a stroke; 4 to 12 in the paper's code
# Parts of the image's side (the paper's code: diagonal / 8, and 12 to 40 of
# 256 px).
_MEAN_LENGTH = math.sqrt(2) / 8
_WIDTHS = np.linspace(12, 40, 4) / 256
_LENGTHS = _MEAN_LENGTH * np.linspace(0.125, 1.875, 8)
# Directions in steps of 6 degrees. A stroke zigzags: its segments leave its
# own direction by 72 degrees, give or take 24, to one side and the other.
_NUM_DIRECTIONS = 60
_MIN_TURN, _NUM_TURNS = 8, 9
_NUMBERS_PER_STROKE = 4 + 2 * _NUM_SEGMENTS
# Where along a segment a patch lies: so that the last one is drawn in part.
_PARTS = 16
# Numbers of patches times segments that are compared at once.
_CHUNK = 1 << 15


class FreeFormMask(patch_mask.PatchMask):
    """Hides what irregular brush strokes cover.

    A stroke starts anywhere and zigzags in any direction, in eight segments of
    random length, with a brush of random width (never thinner than a mask
    patch). Strokes are drawn one after another; a patch's place in the order
    is the moment that the brush comes over its centre; the last stroke stops
    where the count is full. A stroke that leaves the image comes in at the
    opposite side, so every patch is hidden equally often.

    Strokes look like strokes where mask patches are small beside them: 16 px
    or less at 192 px. Arguments, attributes and errors are those of
    `PatchMask`.

    Source: Yu et al., Free-Form Image Inpainting with Gated Convolution,
        2018, https://arxiv.org/abs/1806.03589, algorithm 1, with the figures
        of its code. Differs from the paper: an exact count, any direction,
        lengths uniform instead of normal, opposite sides joined, square ends.
    """

    def __init__(
        self, image_size, patch_size, mask_patch_size=32, mask_ratio=0.6
    ):
        super().__init__(image_size, patch_size, mask_patch_size, mask_ratio)
        n, num_hidden = self.num_mask_patches, self.num_hidden
        side = _UNITS * math.sqrt(n)
        lengths = np.maximum(_LENGTHS * side, _UNITS)
        angles = np.arange(_NUM_DIRECTIONS) * (2 * math.pi / _NUM_DIRECTIONS)
        # Even, so that the middle of a segment is whole. [lengths, angles]
        self._down, self._right = (
            2 * np.rint(lengths[:, np.newaxis] / 2 * f(angles)).astype(np.int32)
            for f in (np.sin, np.cos)
        )
        radii = np.maximum(_WIDTHS * side, _UNITS) / 2
        # Distances are kept multiplied by the segment's length.
        self._reach = np.rint(
            radii[:, np.newaxis, np.newaxis] * np.hypot(self._down, self._right)
        ).astype(np.int32)  # [widths, lengths, angles]

        # Twice the segments, thrown anywhere, that would leave no more visible
        # than there should be.
        covered = 2 * np.mean(self._reach) / (n * _UNITS**2)
        needed = 2 * math.log(n / (n - num_hidden)) / covered
        self.num_strokes = 2 + math.ceil(needed / _NUM_SEGMENTS)
        # One more: which end of the image comes first at equal moments.
        self.numbers_per_sample = _NUMBERS_PER_STROKE * self.num_strokes + 1

    def _order(self, numbers):
        n = self.num_mask_patches
        segments = self._segments(numbers[:, :-1])
        num_segments = self.num_strokes * _NUM_SEGMENTS
        moment = num_segments * _PARTS  # of patches that no stroke covers
        step = max(_CHUNK // n, _NUM_SEGMENTS)
        for first in range(0, num_segments, step):
            some = [values[:, first : first + step] for values in segments]
            moment = tf.minimum(moment, self._moments(*some, first))

        moment = tf.reshape(moment, [-1, n])  # [B, n]
        places = tf.range(n)
        from_the_end = numbers[:, -1:] < 0.5
        # Below 2^31 up to half a million mask patches.
        return moment * n + tf.where(from_the_end, n - 1 - places, places)

    def _segments(self, numbers):
        """Returns int32 [B, T] each: middle, vector and reach of segments."""
        numbers = tf.reshape(
            numbers, [-1, self.num_strokes, _NUMBERS_PER_STROKE]
        )
        top, left, direction, width = tf.split(
            numbers[..., :4], 4, axis=-1
        )  # [B, A, 1] each
        length, turn = tf.split(numbers[..., 4:], 2, axis=-1)  # [B, A, V] each
        rows, columns = self.mask_grid_size
        top = patch_mask.whole_below(top, rows * _UNITS)
        left = patch_mask.whole_below(left, columns * _UNITS)
        direction = patch_mask.whole_below(direction, _NUM_DIRECTIONS)
        width = patch_mask.whole_below(width, len(_WIDTHS))
        length = patch_mask.whole_below(length, len(_LENGTHS))
        turn = _MIN_TURN + patch_mask.whole_below(turn, _NUM_TURNS)
        turn *= tf.constant([1, -1] * (_NUM_SEGMENTS // 2))
        direction = (direction + turn) % _NUM_DIRECTIONS  # [B, A, V]

        def look_up(table, place):
            return tf.gather(tf.constant(table.ravel(), tf.int32), place)

        place = length * _NUM_DIRECTIONS + direction
        down, right = look_up(self._down, place), look_up(self._right, place)
        reach = look_up(self._reach, place + width * self._down.size)
        row = top + tf.cumsum(down, axis=-1) - down // 2
        column = left + tf.cumsum(right, axis=-1) - right // 2
        num_segments = self.num_strokes * _NUM_SEGMENTS
        return [
            tf.reshape(values, [-1, num_segments])
            for values in (row, column, down, right, reach)
        ]

    def _moments(self, row, column, down, right, reach, first):
        """Returns int32 [B, R, C]: when the first segment covers a patch."""
        row, column, down, right, reach = (
            values[..., tf.newaxis, tf.newaxis]
            for values in (row, column, down, right, reach)
        )  # [B, T, 1, 1]
        rows, columns = self.mask_grid_size
        y = _centres(rows)[:, tf.newaxis]
        y = _around(y - row, rows * _UNITS)  # [B, T, R, 1]
        x = _around(_centres(columns) - column, columns * _UNITS)
        across = y * right - x * down  # [B, T, R, C]
        along = y * down + x * right
        # Twice the greatest `along`: half the segment and half the brush.
        span = down * down + right * right + 2 * reach
        covers = (tf.abs(across) <= reach) & (2 * tf.abs(along) <= span)
        part = (2 * along + span) * _PARTS // (2 * span + 1)
        number = first + tf.range(row.shape[1])[:, tf.newaxis, tf.newaxis]
        never = self.num_strokes * _NUM_SEGMENTS * _PARTS
        moment = tf.where(covers, number * _PARTS + part, never)
        return tf.reduce_min(moment, axis=1)


def _centres(count):
    return _UNITS // 2 + _UNITS * tf.range(count)


def _around(difference, size):
    """Returns the shorter way between two places of a closed circle."""
    return (difference + size // 2) % size - size // 2
