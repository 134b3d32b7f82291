"""The digits of a scene: where they lie, in what colours.

Dimension key:
  S: side of a scene, px   K: digits tried
"""

import tensorflow as tf

from tf_simmim import randomness

IMAGE_SIZE = 128  # px

_NUM_TRIED = 8
# Height of a scan in the scene.
_DIGIT_HEIGHT = (28.0, 72.0)  # px
_DIGIT_ASPECT = (0.8, 1.2)  # width over height
# A scan is grey at its edges: ink sets in at the first value, on the 0..1
# scale, and covers the background from the second on.
_INK = (0.3, 0.7)
# Parts of the smaller of two boxes that both may share: one in so many.
_OVERLAP = 10
# Mean of the background, on the 0..255 scale, below which ink is light and
# above which it is dark; it is either between them.
_DARK, _LIGHT = 100, 150


def draw(scans, seed):
    """Draws digits at random places.

    Args:
        scans: float32 [n, 8, 8], on the 0..1 scale.
        seed: int64 [2].

    Returns:
        (float32 [K, S, S], the opacity of their ink; int32 [K], which scans).
    """
    numbers = randomness.uniform([5, _NUM_TRIED], seed)
    which = whole(numbers[0], scans.shape[0])
    height = _between(numbers[1], _DIGIT_HEIGHT)
    width = height * _between(numbers[2], _DIGIT_ASPECT)
    rows = _weights(height, numbers[3])  # [K, S, 8]
    columns = _weights(width, numbers[4])
    values = rows @ tf.gather(scans, which)
    values = tf.matmul(values, columns, transpose_b=True)  # [K, S, S]
    low, high = _INK
    ink = tf.clip_by_value((values - low) * (1 / (high - low)), 0.0, 1.0)
    return ink, which


def _weights(extent, place):
    """Returns what each value of a scan counts at a pixel: a cubic spline.

    Args:
        extent: float32 [K]. Side of the enlarged scan, px.
        place: float32 [K] in [0, 1). 0: it begins at the scene's edge, 1: it
            ends at the other.

    Returns:
        float32 [K, S, 8].
    """
    start = place * (IMAGE_SIZE - extent)
    pixels = tf.range(IMAGE_SIZE, dtype=tf.float32) + 0.5
    pixels = pixels - start[:, tf.newaxis]  # [K, S]
    values = pixels * (8.0 / extent)[:, tf.newaxis] - 0.5
    x = tf.abs(values[..., tf.newaxis] - tf.range(8, dtype=tf.float32))
    x2, x3 = x * x, x * x * x
    # Keys' kernel, that of bicubic enlargement.
    near = 1.5 * x3 - 2.5 * x2 + 1.0
    far = -0.5 * x3 + 2.5 * x2 - 4.0 * x + 2.0
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))


def boxes(covered):
    """Returns int32 [K, 4]: top, left, bottom, right of bool [K, S, S]."""
    sides = []
    for axis in (2, 1):
        is_covered = tf.cast(tf.reduce_any(covered, axis), tf.int32)  # [K, S]
        first = tf.argmax(is_covered, -1, output_type=tf.int32)
        after = tf.argmax(is_covered[:, ::-1], -1, output_type=tf.int32)
        sides.append((first, IMAGE_SIZE - after))
    (top, bottom), (left, right) = sides
    return tf.stack([top, left, bottom, right], axis=-1)


def choose(boxes, wanted):
    """Takes digits one by one that leave those before them in sight.

    Returns:
        bool [K], `wanted` of them true or fewer; the first always is.
    """
    corner = tf.maximum(boxes[:, tf.newaxis, :2], boxes[:, :2])
    other = tf.minimum(boxes[:, tf.newaxis, 2:], boxes[:, 2:])
    shared = tf.reduce_prod(tf.maximum(other - corner, 0), -1)  # [K, K]
    area = tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], -1)
    smaller = tf.minimum(area[:, tf.newaxis], area)
    is_apart = _OVERLAP * shared <= smaller
    taken = [tf.constant(True)]
    for k in range(1, _NUM_TRIED):
        so_far = tf.stack(taken)
        fits = tf.reduce_all(is_apart[k, :k] | ~so_far)
        count = tf.reduce_sum(tf.cast(so_far, tf.int32))
        taken.append(fits & (count < wanted))
    return tf.stack(taken)


def colours(background, covered, seed):
    """Returns float32 [K, 1, 1, 3], 0..255: light on dark, dark on light."""
    # In whole numbers: a sum of floats may differ by its order.
    brightness = tf.cast(tf.round(background), tf.int32)
    brightness = tf.reduce_sum(brightness, -1)  # [S, S]
    under = tf.reduce_sum(tf.where(covered, brightness, 0), [1, 2])
    count = tf.reduce_sum(tf.cast(covered, tf.int32), [1, 2])
    mean = under // tf.maximum(3 * count, 1)
    numbers = randomness.uniform([_NUM_TRIED, 4], seed)
    is_light = numbers[:, 3] < 0.5
    is_light = (mean < _DARK) | ((mean <= _LIGHT) & is_light)
    colours = numbers[:, :3] * 85.0
    colours += tf.where(is_light, 170.0, 0.0)[:, tf.newaxis]
    return colours[:, tf.newaxis, tf.newaxis]


def whole(number, count):
    """Returns a whole number in 0..count-1 of a float32 in [0, 1)."""
    whole = tf.cast(number * tf.cast(count, tf.float32), tf.int32)
    return tf.minimum(whole, count - 1)


def _between(number, limits):
    low, high = limits
    return low + number * (high - low)
