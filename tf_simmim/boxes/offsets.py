"""Boxes as offsets from anchors, and back.

Dimension key:
  A: anchors of an image
"""

import math

import tensorflow as tf

# What offsets are divided by, so that they are about as large as each other.
_VARIANCES = (0.1, 0.1, 0.2, 0.2)
# An anchor grows by no more than this: exp of anything else may be infinite.
_MAX_LOG_RATIO = math.log(1000 / 16)


def encode_boxes(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Returns boxes as offsets from anchors.

    With the middle (y, x) and the size (h, w) of a box and those of its
    anchor, marked a:

        ((y - ya) / ha / 0.1, (x - xa) / wa / 0.1,
         log(h / ha) / 0.2,   log(w / wa) / 0.2)

    Args:
        boxes: float32 [..., A, 4]: top, left, bottom, right, px.
        anchors: float32 [A, 4], likewise.

    Returns:
        float32 [..., A, 4]; of a box without area anything finite.

    Source: Girshick et al., R-CNN, 2014, https://arxiv.org/abs/1311.2524,
        appendix C; the numbers as in keras-cv's RetinaNet.
    """
    middle, size = _middle_and_size(boxes)
    anchor_middle, anchor_size = _middle_and_size(anchors)
    ratio = tf.maximum(size, 1e-3) / anchor_size
    offsets = tf.concat(
        [(middle - anchor_middle) / anchor_size, tf.math.log(ratio)], axis=-1
    )
    return offsets / _VARIANCES


def decode_boxes(
    offsets: tf.Tensor, anchors: tf.Tensor, image_size
) -> tf.Tensor:
    """Returns the boxes that offsets from anchors mean, inside the image.

    Args:
        offsets: float32 [..., A, 4], as from `encode_boxes`.
        anchors: float32 [A, 4] or [..., A, 4]: top, left, bottom, right, px.
        image_size: (height, width), px. What lies outside is cut off.

    Returns:
        float32 [..., A, 4]: top, left, bottom, right, px. No larger than 62.5
        times the anchor.
    """
    anchor_middle, anchor_size = _middle_and_size(anchors)
    # Not in place: it may be an array.
    offsets = tf.cast(offsets, tf.float32) * _VARIANCES
    middle = anchor_middle + offsets[..., :2] * anchor_size
    ratio = tf.exp(tf.minimum(offsets[..., 2:], _MAX_LOG_RATIO))
    half = 0.5 * ratio * anchor_size
    height, width = image_size
    return tf.clip_by_value(
        tf.concat([middle - half, middle + half], axis=-1),
        0.0,
        tf.constant([height, width, height, width], tf.float32),
    )


def _middle_and_size(boxes):
    first, last = boxes[..., :2], boxes[..., 2:]
    return (first + last) / 2, last - first
