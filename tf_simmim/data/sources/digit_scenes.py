"""`builtin:digit_scenes`: scanned digits on photographs, with their masks.

Dimension key:
  S: side of a scene, px   K: digits tried   N: most digits of a scene
"""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import digits
from tf_simmim.data.sources import holdout
from tf_simmim.data.sources import photos
from tf_simmim.data.sources import scene_digits
from tf_simmim.data.sources import source

_SIZE = (scene_digits.IMAGE_SIZE, scene_digits.IMAGE_SIZE)
_NUM_SCENES = {"train": 4096, "test": 512}
_MAX_DIGITS = 4
_DIGITS = [f"digit {digit}" for digit in range(10)]
# Side of the crop that becomes a background; the strip of the test crops is
# no wider.
_CROP_SIDE = (96, 160)  # px


class DigitScenesSource(source.Source):
    """One to four scanned digits on a crop of a photograph, 128 px, in colour.

    Scenes are made as they are read: scene i is a function of (`seed`, split,
    i) and of nothing else. The digits are those of `builtin:digits`, 28 to 72
    px high, light or dark, whichever the background shows, in any colour; of
    two digits, the boxes share no more than a tenth of the smaller. The
    photographs are the two that scikit-learn ships.

    The 512 scenes of the test split show scans and parts of photographs that
    none of the 4,096 of the train split does: the last 360 scans, and the
    third quarter of a photograph's width. The split "all" is both, train
    before test.

    A scene is a dict:

        image         uint8 [128, 128, channels]
        segmentation  uint8 [128, 128, 1]; 0 = background, 1 + d = the digit d
        boxes         float32 [4, 4]; top, left, bottom, right of a digit's
                      ink, px (what lies under another digit, too); -1 beyond
                      `num_boxes`
        box_classes   int64 [4]; the digit, 0..9; -1 beyond `num_boxes`
        num_boxes     int64 [], 1..4

    Args:
        split: "train", "test" or "all".
        channels: int, 3, or 1 for grey. Default: 3.
        seed: int. Of the scenes.

    Raises:
        ValueError: `split` is none of these, or `channels` is neither 1 nor 3.

    Source: as `DigitsSource`; the photographs are "China, temple" and "Flower
        dahlia" of `sklearn.datasets.load_sample_images`, CC BY.
    """

    def __init__(self, split="train", channels=None, seed=0):
        holdout.require_split(split)
        channels = 3 if channels is None else channels
        decoding.require_colour_or_grey(channels)
        names = ("train", "test") if split == "all" else (split,)
        super().__init__(
            name="builtin:digit_scenes",
            num_images=sum(_NUM_SCENES[name] for name in names),
            channels=channels,
            segmentation_class_names=["background", *_DIGITS],
            box_class_names=_DIGITS,
        )
        self.seed = seed
        # A GPU's memory is for the model.
        with tf.device("CPU:0"):
            self._photographs = tf.constant(photos.sklearn_photographs())
            self._parts = [_Part(name, self._photographs) for name in names]

    def read(self, index):
        index = tf.cast(index, tf.int64)
        first, last = self._parts[0], self._parts[-1]
        if first is last:
            return self._scene(first, index)
        return tf.cond(
            index < first.num_scenes,
            lambda: self._scene(first, index),
            lambda: self._scene(last, index - first.num_scenes),
        )

    def _scene(self, part, number):
        seed = randomness.seed_for(
            self.seed, randomness.CROP, holdout.SPLITS.index(part.name), number
        )
        background = self._background(part, randomness.fold_in(seed, 0))
        ink, which = scene_digits.draw(part.scans, randomness.fold_in(seed, 1))
        labels = tf.gather(part.labels, which)
        covered = ink > 0.5  # [K, S, S]
        boxes = scene_digits.boxes(covered)
        colours = scene_digits.colours(
            background, covered, randomness.fold_in(seed, 2)
        )

        number = randomness.uniform([], randomness.fold_in(seed, 3))
        wanted = 1 + tf.cast(number * _MAX_DIGITS, tf.int32)
        is_shown = scene_digits.choose(boxes, wanted)
        chosen = tf.argsort(tf.cast(~is_shown, tf.int32), stable=True)
        chosen = chosen[:_MAX_DIGITS]
        is_shown, ink, covered, labels, boxes, colours = (
            tf.gather(each, chosen)
            for each in (is_shown, ink, covered, labels, boxes, colours)
        )

        image = background
        segmentation = tf.zeros(_SIZE, tf.int64)
        for k in range(_MAX_DIGITS):
            opacity = tf.where(is_shown[k], ink[k], 0.0)[..., tf.newaxis]
            image += opacity * (colours[k] - image)
            is_digit = covered[k] & is_shown[k]
            segmentation = tf.where(is_digit, labels[k] + 1, segmentation)
        image = tf.cast(tf.round(image), tf.uint8)
        return {
            "image": decoding.to_channels(image, self.channels),
            "segmentation": tf.cast(segmentation, tf.uint8)[..., tf.newaxis],
            "boxes": tf.where(
                is_shown[:, tf.newaxis], tf.cast(boxes, tf.float32), -1.0
            ),
            "box_classes": tf.where(is_shown, labels, -1),
            "num_boxes": tf.reduce_sum(tf.cast(is_shown, tf.int64)),
        }

    def _background(self, part, seed):
        """Returns a crop of a photograph, float32 [S, S, 3], 0..255."""
        numbers = randomness.uniform([5], seed)
        region = tf.gather(
            part.regions, scene_digits.whole(numbers[0], part.num_regions)
        )
        photograph, start, width = tf.unstack(region)
        low, high = _CROP_SIDE
        side = low + scene_digits.whole(numbers[1], high - low + 1)
        height = self._photographs.shape[1]
        top = scene_digits.whole(numbers[2], height - side + 1)
        left = start + scene_digits.whole(numbers[3], width - side + 1)
        crop = self._photographs[
            photograph, top : top + side, left : left + side
        ]
        crop = tf.image.resize(crop, _SIZE, antialias=True)
        crop = tf.where(numbers[4] < 0.5, crop[:, ::-1], crop)
        return tf.clip_by_value(crop, 0.0, 255.0)


class _Part:
    """The scans and the parts of photographs that one split may show."""

    def __init__(self, name, photographs):
        self.name = name
        self.num_scenes = _NUM_SCENES[name]
        scans, labels = digits.scans(name)
        self.scans = tf.constant(scans, tf.float32)  # [n, 8, 8], 0..1
        self.labels = tf.constant(labels, tf.int64)
        columns = photos.columns(name, photographs.shape[2])
        regions = [
            (photograph, start, stop - start)
            for photograph in range(photographs.shape[0])
            for start, stop in columns
        ]
        self.regions = tf.constant(regions, tf.int32)
        self.num_regions = len(regions)
