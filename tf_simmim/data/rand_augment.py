"""RandAugment: a few of many image operations, drawn for each image.

Dimension key:
  H W: image, px   C: channels
"""

import math

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import image_operations

_MAX_MAGNITUDE = 10.0
# Each drawn operation is left out this often, in the reference.
_RATE = 0.5


class RandAugment:
    """Applies `num_operations` random operations, each with probability 1/2.

    What can be drawn, at a level in [0, 1], is

        auto_contrast, equalize, invert: without a level;
        rotate by 30 * level degrees, shear_x, shear_y by 0.3 * level,
        translate_x, translate_y by 0.45 * level of the side: in either
            direction, linear, the data set's mean in what becomes free;
        posterize to 4 - int(4 * level) bits;
        solarize: invert values from 256 - int(256 * level) on;
        solarize_add: add int(110 * level) to values below 128;
        color, contrast, brightness, sharpness: times 1 +- 0.9 * level, at
            least 0.1.

    The level is N(magnitude, magnitude_stddev) / 10, limited to [0, 1]: the
    reference's "rand-m9-mstd0.5-inc1", which is the default. Differs from it:
    values are not rounded after each operation, and turned images are
    interpolated linearly (TensorFlow has no bicubic for that).

    Images of other than three channels go without `color`, which is about
    their hue; the mean of their channels is their grey.

    Args:
        normalization: `data.Normalization` of the run: the colour of what
            becomes free.
        magnitude: float in [0, 10].
        magnitude_stddev: float >= 0.
        num_operations: int >= 0.

    Attributes: the arguments.

    Call arguments:
        image: float32 [H, W, C], in 0..255, H, W and C known.
        seed: int64 [2].

    Returns:
        float32 [H, W, C], in 0..255.

    Raises:
        ValueError: an argument is out of its range.

    Randomness: none of its own; a function of `image` and `seed`. The
        operations are keras-cv's where it has them, given transformations
        that are drawn here: its layers would draw from TensorFlow's global
        state.

    Source: Cubuk et al., RandAugment, 2019, https://arxiv.org/abs/1909.13719;
        timm's rand_augment_transform.
    """

    def __init__(
        self,
        normalization,
        magnitude=9.0,
        magnitude_stddev=0.5,
        num_operations=2,
    ):
        if not 0 <= magnitude <= _MAX_MAGNITUDE:
            raise ValueError(
                f"`magnitude` must be in [0, 10]. Received: {magnitude}."
            )
        if not 0 <= magnitude_stddev < math.inf:
            raise ValueError(
                "`magnitude_stddev` must be 0 or more, and finite. "
                f"Received: {magnitude_stddev}."
            )
        if num_operations < 0:
            raise ValueError(
                f"`num_operations` must be 0 or more. "
                f"Received: {num_operations}."
            )
        self.normalization = normalization
        self.magnitude = magnitude
        self.magnitude_stddev = magnitude_stddev
        self.num_operations = num_operations
        # Made here, and not inside the graph of a data set.
        self._operations = None
        if num_operations:
            self._operations = image_operations.ImageOperations(
                [255 * mean for mean in normalization.mean]
            )

    def __call__(self, image, seed):
        if not self.num_operations:
            return image

        def apply_next(number, image):
            seed_of_one = randomness.fold_in(seed, number)
            return number + 1, self._apply_one(image, seed_of_one)

        # A loop, so that a graph holds every operation once.
        _, image = tf.while_loop(
            lambda number, image: number < self.num_operations,
            apply_next,
            (tf.constant(0), image),
        )
        return image

    def _apply_one(self, image, seed):
        numbers = randomness.uniform([3], randomness.fold_in(seed, 0))
        spread = self.magnitude_stddev * tf.random.stateless_normal(
            [], randomness.fold_in(seed, 1), alg="philox"
        )
        magnitude = tf.clip_by_value(
            self.magnitude + spread, 0.0, _MAX_MAGNITUDE
        )
        level = magnitude / _MAX_MAGNITUDE
        sign = tf.where(numbers[0] < 0.5, -1.0, 1.0)
        names = image_operations.names(image.shape[-1])
        branches = [
            lambda name=name: tf.ensure_shape(
                self._operations.apply(name, image, level, sign), image.shape
            )
            for name in names
        ]
        chosen = tf.cast(numbers[1] * float(len(names)), tf.int32)
        return tf.cond(
            numbers[2] < _RATE,
            lambda: tf.switch_case(chosen, branches),
            lambda: tf.identity(image),
        )
