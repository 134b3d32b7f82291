"""What training images go through in fine-tuning.

Dimension key:
  H W: image as read, px   h w: image as trained, px   C: channels
"""

import tensorflow as tf

from tf_simmim import randomness
from tf_simmim.data import augmentation
from tf_simmim.data import rand_augment
from tf_simmim.data import random_erasing


class FinetuningAugmentation(augmentation.PretrainingAugmentation):
    """Random resized crop, flip, RandAugment, random erasing, in this order.

    The crop is that of pretraining, but smaller, bicubic, and made whole
    numbers. See `RandAugment` and `RandomErasing` for the rest; `MixUpCutMix`
    then works on whole batches. The defaults are the reference's.

    Args:
        image_size: int or (height, width), px. Size of the result.
        normalization: `data.Normalization` of the run.
        crop_scale: (low, high), as `PretrainingAugmentation`. The reference's
            choice is (0.08, 1).
        crop_ratio: (low, high), as there.
        horizontal_flip: bool, as there.
        magnitude: float in [0, 10], of `RandAugment`.
        magnitude_stddev: float, of `RandAugment`.
        num_operations: int, of `RandAugment`; 0 for none.
        erasing_rate: float in [0, 1], the `rate` of `RandomErasing`.

    Call arguments:
        image: uint8 [H, W, C], C known, H and W of any size.
        seed: int64 [2], from `randomness.seed_for`.

    Returns:
        float32 [h, w, C], on the 0..255 scale. Erased pixels may lie outside:
        a stream of uint8 images limits them.

    Raises:
        ValueError: as from the classes above.

    Randomness: none of its own; a function of `image` and `seed`.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886, section
        4.1.1, and its code's settings for timm's create_transform.
    """

    def __init__(
        self,
        image_size,
        normalization,
        crop_scale=(0.08, 1.0),
        crop_ratio=(3 / 4, 4 / 3),
        horizontal_flip=True,
        magnitude=9.0,
        magnitude_stddev=0.5,
        num_operations=2,
        erasing_rate=0.25,
    ):
        super().__init__(image_size, crop_scale, crop_ratio, horizontal_flip)
        self.rand_augment = rand_augment.RandAugment(
            normalization, magnitude, magnitude_stddev, num_operations
        )
        self.erasing = random_erasing.RandomErasing(normalization, erasing_rate)

    @tf.autograph.experimental.do_not_convert
    def __call__(self, image, seed):
        seeds = [randomness.fold_in(seed, number) for number in range(4)]
        shape, channels = tf.shape(image), image.shape[-1]
        box = augmentation.random_crop_box(
            shape[0], shape[1], self.crop_scale, self.crop_ratio, seeds[0]
        )
        image = tf.slice(image, [box[0], box[1], 0], [box[2], box[3], channels])
        image = tf.image.resize(
            image, self.image_size, "bicubic", antialias=True
        )
        # A bicubic kernel overshoots at edges.
        image = tf.clip_by_value(tf.round(image), 0.0, 255.0)
        if self.horizontal_flip:
            number = randomness.uniform([], seeds[1])
            image = tf.cond(
                number < 0.5, lambda: tf.reverse(image, [1]), lambda: image
            )
        image = self.rand_augment(image, seeds[2])
        return self.erasing(image, seeds[3])
