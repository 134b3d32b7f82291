"""PNG: what is transparent lies on white.

Dimension key:
  H W: image, px
"""

import tensorflow as tf

from tf_simmim.data.sources.formats import checks

FIRST_BYTES = b"\x89PNG\r\n\x1a\n"

_END = b"IEND"
HEADER_SIZE = 33  # the first bytes and the chunk IHDR
# More would be no picture, and every one takes microseconds.
MAX_CHUNKS = 1000
_COLOUR_TYPES_WITH_ALPHA = (4, 6)


def decode(contents, where, max_pixels) -> tf.Tensor:
    """Decodes a PNG file.

    Grey, palette and bilevel become RGB. Of 16 bits the high 8 are kept.
    Transparent pixels (an alpha channel, or a colour that counts as
    transparent) lie on white.

    Args:
        contents: string scalar tensor.
        where: list of str or tensors, printed when the image is bad.
        max_pixels: int.

    Returns:
        uint8 [H, W, 3].

    Raises:
        tf.errors.InvalidArgumentError: the file is cut off, too large, or
            damaged (the message of the last has no `where`).
    """
    header = checks.numbers(contents, 0, HEADER_SIZE)
    height = checks.big_endian(header[20:24])
    width = checks.big_endian(header[16:20])
    contents = checks.require_size(height, width, max_pixels, where, contents)
    contents = checks.require(
        checks.has_end(contents, _END, HEADER_SIZE),
        ["This PNG is cut off:"],
        where,
        contents,
    )
    has_alpha = tf.reduce_any(
        header[25] == checks.int64(_COLOUR_TYPES_WITH_ALPHA)
    )
    return tf.cond(
        has_alpha | _has_transparent_colour(contents),
        lambda: _on_white(tf.io.decode_png(contents, channels=4)),
        lambda: tf.io.decode_png(contents, channels=3),
    )


def _has_transparent_colour(contents):
    """Tells whether there is a chunk tRNS before the pixels."""

    def step(position, *_):
        size = checks.big_endian(checks.numbers(contents, position, 4))
        kind = checks.piece(contents, position + 4, 4)
        found = kind == b"tRNS"
        more = ~found & (kind != b"IDAT") & (kind != b"")
        return position + size + 12, found, more

    _, found, _ = tf.while_loop(
        lambda position, found, more: more,
        step,
        (checks.int64(HEADER_SIZE), tf.constant(False), tf.constant(True)),
        maximum_iterations=MAX_CHUNKS,
    )
    return found


def _on_white(image):
    # 16 bits are enough: 255 * 255, and a half to round.
    alpha = tf.cast(image[..., 3:], tf.uint16)
    colours = tf.cast(image[..., :3], tf.uint16)
    mixed = colours * alpha + 255 * (255 - alpha)
    return tf.cast((mixed + 127) // 255, tf.uint8)
