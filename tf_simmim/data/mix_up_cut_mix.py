"""MixUp and CutMix: pairs of images, and of labels, made into one.

Dimension key:
  B: rows of a batch   H W: image, px   C: channels   L: classes
"""

import tensorflow as tf

from tf_simmim import losses
from tf_simmim import randomness
from tf_simmim.data import random_erasing


class MixUpCutMix:
    """Mixes each image of a batch with its neighbour, and smooths labels.

    Rows 2i and 2i + 1 are mixed with each other, so a replica that has an even
    number of rows needs no others: however many share a batch, it comes out
    the same. One choice holds for the whole batch: MixUp or CutMix, and

        MixUp:   y = share * x + (1 - share) * neighbour,
        CutMix:  y = x, and the neighbour in a box of 1 - share of the area,

    share ~ Beta(alpha, alpha); labels are mixed as the images, CutMix's by the
    area that its box has inside the image. Label t becomes

        (1 - label_smoothing) * one_hot(t) + label_smoothing / L.

    (keras-cv's layers MixUp and CutMix draw from TensorFlow's global state;
    they shuffle the batch that they are given, which on two replicas is
    another one than on one. The reference mixes row i with row B - 1 - i:
    images are in random order, so who mixes with whom is the same to it.)

    Args:
        num_classes: int >= 1, L.
        mixup_alpha: float >= 0; 0 for no MixUp. 0.8 in the reference.
        cutmix_alpha: float >= 0; 0 for no CutMix. 1 in the reference.
        rate: float in [0, 1]. Batches that are mixed; 1 in the reference.
        switch_rate: float in [0, 1]. Of these, CutMix where both are on; 0.5
            in the reference.
        label_smoothing: float in [0, 1). 0.1 in the reference.

    Call arguments:
        batch: dict of `image` [B, H, W, C], float32 or uint8, B even unless
            nothing is mixed; `label` int64 [B]; other keys are kept.
        seed: int64 [2], the same for all parts of a batch.

    Returns:
        dict: `image` as it came; `label` float32 [B, L], rows of sum 1.

    Raises:
        ValueError: an argument is out of range, the elements have no label,
            or B is odd and something is mixed.

    Randomness: none of its own; a function of `batch` and `seed`.

    Source: Zhang et al., mixup, 2017, https://arxiv.org/abs/1710.09412; Yun et
        al., CutMix, 2019, https://arxiv.org/abs/1905.04899; timm's Mixup in
        the mode "batch".
    """

    def __init__(
        self,
        num_classes,
        mixup_alpha=0.8,
        cutmix_alpha=1.0,
        rate=1.0,
        switch_rate=0.5,
        label_smoothing=0.1,
    ):
        for name, value in (
            ("mixup_alpha", mixup_alpha),
            ("cutmix_alpha", cutmix_alpha),
        ):
            if not 0 <= value < float("inf"):
                raise ValueError(
                    f"`{name}` must be 0 or more, and finite. "
                    f"Received: {value}."
                )
        for name, value in (("rate", rate), ("switch_rate", switch_rate)):
            if not 0 <= value <= 1:
                raise ValueError(
                    f"`{name}` must be in [0, 1]. Received: {value}."
                )
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                "`label_smoothing` must be in [0, 1). "
                f"Received: {label_smoothing}."
            )
        if num_classes < 1:
            raise ValueError(
                f"`num_classes` must be 1 or more. Received: {num_classes}."
            )
        self.num_classes = num_classes
        self.mixup_alpha = mixup_alpha
        self.cutmix_alpha = cutmix_alpha
        self.rate = rate
        self.switch_rate = switch_rate
        self.label_smoothing = label_smoothing

    @property
    def mixes(self):
        """Whether batches are mixed at all."""
        return self.rate > 0 and max(self.mixup_alpha, self.cutmix_alpha) > 0

    def require_pairs(self, num_rows):
        """Refuses an odd number of rows, if rows are mixed.

        Args:
            num_rows: int. Rows of a batch on one replica.

        Raises:
            ValueError: as it says.
        """
        if self.mixes and num_rows % 2:
            raise ValueError(
                "MixUp and CutMix need an even number of rows on each "
                "replica: choose another batch size, or switch both off "
                f"(alphas of 0). Received: {num_rows}."
            )

    def __call__(self, batch, seed):
        if "label" not in batch:
            raise ValueError(
                "`batch` must have labels to learn from. "
                f"Received keys: {sorted(batch)}."
            )
        labels = losses.class_targets(
            batch["label"], self.num_classes, self.label_smoothing
        )  # [B, L]
        if not self.mixes:
            return {**batch, "label": labels}
        images = batch["image"]
        if images.shape[0] is not None:
            self.require_pairs(images.shape[0])
        numbers = randomness.uniform([4], randomness.fold_in(seed, 0))
        use_cutmix = self.mixup_alpha == 0
        if self.mixup_alpha > 0 and self.cutmix_alpha > 0:
            use_cutmix = numbers[1] < self.switch_rate
        share = tf.where(
            use_cutmix,
            _beta(self.cutmix_alpha, randomness.fold_in(seed, 1)),
            _beta(self.mixup_alpha, randomness.fold_in(seed, 2)),
        )
        share = tf.where(numbers[0] < self.rate, share, 1.0)

        mixed = tf.cast(images, tf.float32)
        neighbours = _neighbours(mixed)
        height, width = images.shape[1], images.shape[2]
        start, stop = _box(height, width, share, numbers[2:])
        in_box = random_erasing.inside_box(height, width, start, stop)
        # The share that is left when a part of the box lies outside.
        area = tf.cast(tf.reduce_prod(stop - start), tf.float32)
        share_cut = 1.0 - area / float(height * width)
        mixed = tf.cond(
            tf.convert_to_tensor(use_cutmix),
            lambda: tf.where(in_box, neighbours, mixed),
            lambda: share * mixed + (1.0 - share) * neighbours,
        )
        if images.dtype == tf.uint8:
            mixed = tf.cast(tf.round(mixed), tf.uint8)
        share = tf.where(use_cutmix, share_cut, share)
        labels = share * labels + (1.0 - share) * _neighbours(labels)
        return {**batch, "image": mixed, "label": labels}


def _neighbours(rows):
    """Returns rows 1, 0, 3, 2, ... of a tensor."""
    pairs = tf.reshape(rows, [-1, 2, *rows.shape[1:]])
    return tf.reshape(pairs[:, ::-1], tf.shape(rows))


def _beta(alpha, seed):
    """Returns float32 [], from Beta(alpha, alpha); 1 for an alpha of 0."""
    if alpha == 0:
        return tf.constant(1.0)
    # In float64: for a small alpha, both would be 0 too often.
    one, other = tf.unstack(
        tf.random.stateless_gamma([2], seed, alpha, dtype=tf.float64)
    )
    return tf.cast(tf.math.divide_no_nan(one, one + other), tf.float32)


def _box(height, width, share, numbers):
    """Returns start and stop, int32 [2], of a box of 1 - share of the area.

    Its centre is anywhere in the image, which cuts off what sticks out.
    """
    sides = tf.constant([height, width], tf.float32)
    half = tf.cast(tf.sqrt(1.0 - share) * sides, tf.int32) // 2
    centre = tf.cast(numbers * sides, tf.int32)
    start = tf.maximum(centre - half, 0)
    return start, tf.minimum(centre + half, [height, width])
