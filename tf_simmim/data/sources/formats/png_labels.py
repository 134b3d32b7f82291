"""PNG files that hold the number of a class in each pixel.

Dimension key:
  H W: image, px
"""

import functools
import zlib

import tensorflow as tf

from tf_simmim.data.sources.formats import checks
from tf_simmim.data.sources.formats import png

IGNORED = 255

_END = b"IEND"
_PALETTE = b"PLTE"
_GREY, _INDEXED = 0, 3
_MAX_COLOURS = 256


def decode(contents, size, num_classes, where, max_pixels) -> tf.Tensor:
    """Decodes a PNG file to the numbers that it holds, not to their colours.

    Grey files hold them as values, files with a palette as indices, whatever
    the palette's colours are.

    Args:
        contents: string scalar tensor.
        size: int32 [2]. Height and width of the image, which must be its own.
        num_classes: int in 1..255. Numbers must be below it, or be 255.
        where: list of str or tensors, printed when the file is bad.
        max_pixels: int.

    Returns:
        uint8 [H, W, 1]. 255 = no class.

    Raises:
        tf.errors.InvalidArgumentError: this is no PNG, is of another size,
            has other than one number of 8 bits or fewer a pixel, or a number
            that is no class; or as of `png.decode`.
    """
    is_png = tf.strings.substr(contents, 0, len(png.FIRST_BYTES))
    contents = checks.require(
        is_png == png.FIRST_BYTES, ["A mask must be a PNG:"], where, contents
    )
    header = checks.numbers(contents, 0, png.HEADER_SIZE)
    height = checks.big_endian(header[20:24])
    width = checks.big_endian(header[16:20])
    depth, kind = header[24], header[25]
    size = checks.int64(size)
    contents = checks.require(
        (height == size[0]) & (width == size[1]),
        [
            "A mask must have the height and width of its image,",
            *(size[0], "and", size[1], "px. Received:"),
            *(height, "and", width, "in"),
        ],
        where,
        contents,
    )
    contents = checks.require_size(height, width, max_pixels, where, contents)
    contents = checks.require(
        checks.has_end(contents, _END, png.HEADER_SIZE),
        ["This PNG is cut off:"],
        where,
        contents,
    )
    contents = checks.require(
        ((kind == _GREY) | (kind == _INDEXED)) & (depth <= 8),
        ["A mask must be grey or have a palette, in 8 bits or fewer:"],
        where,
        contents,
    )
    numbers = tf.cond(
        kind == _GREY,
        lambda: _values(contents, depth),
        lambda: _indices(contents),
    )
    is_wrong = (numbers >= num_classes) & (numbers != IGNORED)
    return checks.require(
        ~tf.reduce_any(is_wrong),
        [
            f"A mask must hold classes, 0..{num_classes - 1}, and {IGNORED} "
            "where there is none. Received:",
            tf.reduce_max(tf.where(is_wrong, numbers, 0)),
            "in",
        ],
        where,
        tf.ensure_shape(numbers, [None, None, 1]),
    )


def _values(contents, depth):
    grey = tf.io.decode_png(contents, channels=1)
    # Fewer bits are spread over 0..255.
    largest = tf.bitwise.left_shift(checks.int64(1), depth) - 1
    return grey // tf.cast(255 // largest, tf.uint8)


def _indices(contents):
    """Decodes the file with a palette in which colour i is the grey i."""

    def step(position, _):
        size = checks.big_endian(checks.numbers(contents, position, 4))
        kind = checks.piece(contents, position + 4, 4)
        is_over = (kind == _PALETTE) | (kind == b"IDAT") | (kind == b"")
        return tf.where(is_over, position, position + size + 12), is_over

    position, _ = tf.while_loop(
        lambda position, is_over: ~is_over,
        step,
        (checks.int64(png.HEADER_SIZE), tf.constant(False)),
        maximum_iterations=png.MAX_CHUNKS,
    )
    size = checks.big_endian(checks.numbers(contents, position, 4))
    count = tf.clip_by_value(size // 3, 1, _MAX_COLOURS)
    ramps = tf.constant(_ramps())
    contents = tf.strings.join(
        [
            checks.piece(contents, 0, position),
            tf.gather(ramps, count - 1),
            checks.piece(contents, position + size + 12, tf.int32.max),
        ]
    )
    return tf.io.decode_png(contents, channels=3)[..., :1]


@functools.cache
def _ramps():
    """Returns the chunk PLTE of 1, 2, ... 256 greys."""
    chunks = []
    for count in range(1, _MAX_COLOURS + 1):
        colours = bytes(i for i in range(count) for _ in range(3))
        check = zlib.crc32(_PALETTE + colours).to_bytes(4, "big")
        size = len(colours).to_bytes(4, "big")
        chunks.append(size + _PALETTE + colours + check)
    return chunks
