"""Random erasing: a rectangle of noise in the place of a part of the image.

Dimension key:
  H W: image, px   C: channels
"""

import math

import tensorflow as tf

from tf_simmim import randomness

# Tries before an image is left whole.
_NUM_ATTEMPTS = 10
_LEAST_RATIO = 0.3


class RandomErasing:
    """Fills a random rectangle with noise of the data set's statistics.

    With probability `rate`, up to ten times: the area is drawn uniformly from
    `area` and the logarithm of height / width uniformly from that of
    (0.3, 1 / 0.3); the first rectangle smaller than the image is placed
    uniformly. Every value in it is drawn anew,

        value[c] = 255 * (mean[c] + std[c] * z),   z normal,

    which is N(0, 1) once the image is normalised.

    (keras-cv's RandomCutout draws neither area nor shape, and its noise is
    stretched to the range of the image.)

    Args:
        normalization: `data.Normalization`, of the run.
        rate: float in [0, 1]. The reference's choice is 0.25.
        area: (low, high), 0 < low <= high <= 1. Share of the image's area.

    Call arguments:
        image: float32 [H, W, C], on the 0..255 scale, H and W known.
        seed: int64 [2].

    Returns:
        float32 [H, W, C]; the noise is not limited to 0..255.

    Raises:
        ValueError: `rate` or `area` is not such a number or range.

    Randomness: none of its own; a function of `image` and `seed`.

    Source: Zhong et al., Random Erasing Data Augmentation, 2017,
        https://arxiv.org/abs/1708.04896, as timm's RandomErasing in the mode
        "pixel" does it.
    """

    def __init__(self, normalization, rate=0.25, area=(0.02, 1 / 3)):
        if not 0 <= rate <= 1:
            raise ValueError(f"`rate` must be in [0, 1]. Received: {rate}.")
        area = tuple(float(value) for value in area)
        if len(area) != 2 or not 0 < area[0] <= area[1] <= 1:
            raise ValueError(
                "`area` must be a pair (low, high) with 0 < low <= high <= 1. "
                f"Received: {area}."
            )
        self.normalization = normalization
        self.rate = rate
        self.area = area

    def __call__(self, image, seed):
        numbers = randomness.uniform([_NUM_ATTEMPTS + 1, 2], seed)
        is_due = randomness.uniform([], randomness.fold_in(seed, 0)) < self.rate
        height, width, _ = image.shape

        low, high = self.area
        area = height * width * (low + numbers[1:, 0] * (high - low))
        limit = math.log(_LEAST_RATIO)
        ratio = tf.exp(limit - 2 * limit * numbers[1:, 1])
        tried = tf.stack([tf.sqrt(area * ratio), tf.sqrt(area / ratio)], 1)
        tried = tf.cast(tf.round(tried), tf.int32)  # [attempts, 2]
        fits = tf.reduce_all(tried < [height, width], axis=1)
        box = tried[tf.argmax(tf.cast(fits, tf.int32))]

        free = tf.cast([height, width] - box + 1, tf.float32)
        corner = tf.cast(numbers[0] * free, tf.int32)

        def erase():
            is_inside = inside_box(height, width, corner, corner + box)
            noise = tf.random.stateless_normal(
                image.shape, randomness.fold_in(seed, 1), alg="philox"
            )
            mean = tf.constant(self.normalization.mean, tf.float32)
            std = tf.constant(self.normalization.std, tf.float32)
            return tf.where(is_inside, 255.0 * (mean + std * noise), image)

        return tf.cond(
            is_due & tf.reduce_any(fits), erase, lambda: tf.identity(image)
        )


def inside_box(height, width, start, stop) -> tf.Tensor:
    """Returns bool [H, W, 1], true from `start` to before `stop`.

    Args:
        height: int, H.
        width: int, W.
        start: int32 [2], row and column.
        stop: int32 [2].
    """
    rows, columns = tf.range(height), tf.range(width)
    in_rows = (rows >= start[0]) & (rows < stop[0])
    in_columns = (columns >= start[1]) & (columns < stop[1])
    return in_rows[:, None, None] & in_columns[None, :, None]
