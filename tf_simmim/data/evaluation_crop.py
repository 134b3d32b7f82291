"""Resize, then centre crop: what images go through to be classified.

Dimension key:
  H W: image as read, px   h w: image as evaluated, px   C: channels
"""

import tensorflow as tf

from tf_simmim import sizes


class EvaluationCrop:
    """Resizes an image to a little more than is needed and takes the centre.

    The whole image is made so small that it just covers

        (int(h / crop_fraction), int(w / crop_fraction)),

    which keeps its shape, and the central h x w of that are the result: for
    224 px and the usual 0.875, its shorter side becomes 256. The resize is
    bicubic with antialiasing; like Pillow's, it ends with whole numbers.

    Args:
        image_size: int or (height, width), px. Size of the result.
        crop_fraction: float in (0, 1]. Share of the shorter side that is
            kept; 224 / 256 in the reference. 1 for the largest square.

    Call arguments:
        image: uint8 [H, W, C], C known, H and W of any size.
        seed: not used; there so that it can stand where an augmentation
            does.

    Returns:
        float32 [h, w, C], whole numbers in 0..255.

    Raises:
        ValueError: `crop_fraction` is not such a number.

    Source: Xie et al., SimMIM, 2021, https://arxiv.org/abs/2111.09886: the
        evaluation of its code, torchvision's Resize and CenterCrop.
    """

    def __init__(self, image_size, crop_fraction=224 / 256):
        self.image_size = sizes.as_pair(image_size, "image_size")
        if not 0 < crop_fraction <= 1:
            raise ValueError(
                f"`crop_fraction` must be in (0, 1]. Received: {crop_fraction}."
            )
        self.crop_fraction = crop_fraction

    def __call__(self, image, seed=None):
        del seed
        channels = image.shape[-1]
        sides = tf.cast(tf.shape(image)[:2], tf.int64)
        covered = [int(side / self.crop_fraction) for side in self.image_size]
        covered = tf.constant(covered, tf.int64)
        # The side that needs the larger scale fits exactly; the other follows
        # from it in whole numbers, cut off as torchvision does.
        height_decides = covered[0] * sides[1] >= covered[1] * sides[0]
        resized = tf.where(
            height_decides,
            tf.stack([covered[0], covered[0] * sides[1] // sides[0]]),
            tf.stack([covered[1] * sides[0] // sides[1], covered[1]]),
        )
        resized = tf.cast(tf.maximum(resized, covered), tf.int32)
        image = tf.image.resize(image, resized, "bicubic", antialias=True)
        image = tf.clip_by_value(tf.round(image), 0.0, 255.0)
        # Halves go to the even number, as torchvision rounds them.
        corner = tf.round(tf.cast(resized - self.image_size, tf.float32) / 2)
        top, left = tf.unstack(tf.cast(corner, tf.int32))
        return tf.slice(image, [top, left, 0], [*self.image_size, channels])
