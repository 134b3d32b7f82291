"""Resize and centre crop: what held-out images go through.

Dimension key:
  H W: image as read, px   h w: image as evaluated, px   C: channels
  N: boxes of an image, at most
"""

import tensorflow as tf

from tf_simmim import sizes
from tf_simmim.data import augmentation
from tf_simmim.data import box_moves


class ResizeAndCentreCrop:
    """Takes the largest centred box of the right shape and resizes it.

    Nothing is stretched, and nothing is random: held-out images are the same
    every time. The resize is bilinear with antialiasing, as in training.

    Args:
        image_size: int or (height, width), px. Size of the result.

    Call arguments:
        image: uint8 [H, W, C], C known, H and W of any size.
        seed: not used; there so that it can stand where an augmentation
            does.
        segmentation: uint8 [H, W, 1], or None. As of an augmentation.
        boxes: float32 [N, 4], or None. Likewise.

    Returns:
        float32 [h, w, C], on the 0..255 scale. With a segmentation or boxes,
        a tuple of it and, in this order, uint8 [h, w, 1], float32 [N, 4].
    """

    def __init__(self, image_size):
        self.image_size = sizes.as_pair(image_size, "image_size")

    @tf.autograph.experimental.do_not_convert
    def __call__(self, image, seed=None, segmentation=None, boxes=None):
        del seed
        sides = tf.shape(image)[:2]
        wanted = tf.constant(self.image_size)
        # Each side follows from the other or is the whole; rounded in whole
        # numbers, so that eager mode and graphs cannot differ.
        across, half = wanted[::-1], wanted[::-1] // 2
        box = tf.minimum(sides, (sides[::-1] * wanted + half) // across)
        box = tf.maximum(box, 1)
        top, left = tf.unstack((sides - box) // 2)
        box = (top, left, box[0], box[1])
        moved = [augmentation.resized_box(image, box, self.image_size)]
        if segmentation is not None:
            moved.append(
                augmentation.resized_box(
                    segmentation, box, self.image_size, is_labels=True
                )
            )
        if boxes is not None:
            moved.append(box_moves.boxes_in_crop(boxes, box, self.image_size))
        return tuple(moved) if len(moved) > 1 else moved[0]
