"""Boxes on their way with an image: cut out, resized, mirrored.

Dimension key:
  N: boxes of an image, at most
"""

import tensorflow as tf


def boxes_in_crop(boxes, crop, image_size) -> tf.Tensor:
    """Returns boxes as they lie in a crop that is resized.

    A box stays if its middle lies in the crop, and is cut off at the edge.

    Args:
        boxes: float32 [N, 4]: top, left, bottom, right, px; -1 where there is
            none.
        crop: int32 [4]: top, left, height, width, px.
        image_size: (height, width), px. Of the crop, resized.

    Returns:
        float32 [N, 4], likewise; -1 where there was none, or it is outside.

    Source: Liu et al., SSD, 2016, https://arxiv.org/abs/1512.02325, section
        2.2, "Data augmentation".
    """
    crop = tf.cast(tf.stack(crop), tf.float32)
    corner, sides = crop[:2], crop[2:]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - corner
    is_inside = tf.reduce_all((middle >= 0) & (middle < sides), axis=-1)
    scale = tf.constant(image_size, tf.float32) / sides
    corners = tf.reshape(boxes, [-1, 2, 2]) - corner
    corners = tf.clip_by_value(corners, 0.0, sides) * scale
    moved = tf.reshape(corners, [-1, 4])
    return _where(is_inside & is_box(boxes), moved)


def mirrored_boxes(boxes, width: int) -> tf.Tensor:
    """Returns boxes, as of `boxes_in_crop`, in the mirror image.

    Args:
        boxes: float32 [N, 4].
        width: int, px. Of the image.
    """
    top, left, bottom, right = tf.unstack(boxes, axis=-1)
    moved = tf.stack([top, width - right, bottom, width - left], axis=-1)
    return _where(is_box(boxes), moved)


def is_box(boxes) -> tf.Tensor:
    """Returns bool [N]: whether there is a box, which has an area."""
    return tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=-1)


def _where(is_there, boxes):
    return tf.where(is_there[:, tf.newaxis], boxes, -1.0)
