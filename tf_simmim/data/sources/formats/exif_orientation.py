"""The EXIF tag that says how a camera was held.

Dimension key:
  H W: image, px   C: channels   N: entries of the EXIF directory
"""

import tensorflow as tf

from tf_simmim.data.sources.formats import checks

_TAG = 0x0112
_SHORT = 3  # the type of its value, 16 bits
_ENTRY_SIZE = 12


def read(exif) -> tf.Tensor:
    """Returns the orientation, 1 (upright) if there is none or it is damaged.

    Args:
        exif: string scalar tensor. A TIFF header and what follows.

    Returns:
        int64 scalar tensor, 1..8.

    Source: CIPA DC-008, Exif 2.32, sections 4.5 and 4.6.4.
    """
    head = checks.numbers(exif, 0, 8)
    is_little = checks.piece(exif, 0, 4) == b"II*\0"
    is_big = checks.piece(exif, 0, 4) == b"MM\0*"

    def number(digits):
        return tf.where(
            is_little, checks.little_endian(digits), checks.big_endian(digits)
        )

    position = number(head[4:8])
    num_entries = number(checks.numbers(exif, position, 2))
    raw = tf.io.decode_raw(
        checks.piece(exif, position + 2, num_entries * _ENTRY_SIZE), tf.uint8
    )
    raw = raw[: tf.size(raw) // _ENTRY_SIZE * _ENTRY_SIZE]
    entries = checks.int64(tf.reshape(raw, [-1, _ENTRY_SIZE]))  # [N, 12]
    weights = tf.where(is_little, [1, 256], [256, 1])
    weights = checks.int64(weights)
    tags = tf.reduce_sum(entries[:, 0:2] * weights, axis=1)
    types = tf.reduce_sum(entries[:, 2:4] * weights, axis=1)
    values = tf.reduce_sum(entries[:, 8:10] * weights, axis=1)
    is_orientation = (
        (tags == _TAG)
        & (types == _SHORT)
        & (values >= 1)
        & (values <= 8)
        & (is_little | is_big)
    )
    found = tf.boolean_mask(values, is_orientation)
    return tf.concat([found, [1]], axis=0)[0]


@checks.apart
def apply(image, orientation) -> tf.Tensor:
    """Turns and mirrors an image so that it is upright.

    Args:
        image: uint8 [H, W, C].
        orientation: int64 scalar tensor, 1..8.

    Returns:
        uint8 [H, W, C], or [W, H, C] for 5..8.
    """
    image = tf.cond(
        orientation >= 5,
        lambda: tf.transpose(image, [1, 0, 2]),
        lambda: image,
    )
    rows = tf.reduce_any(orientation == checks.int64([3, 4, 7, 8]))
    columns = tf.reduce_any(orientation == checks.int64([2, 3, 6, 7]))
    return tf.reverse(image, tf.boolean_mask([0, 1], [rows, columns]))
