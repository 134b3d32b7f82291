"""GIF: the first frame, and what is transparent lies on white.

Dimension key:
  H W: first frame, px
"""

import tensorflow as tf

from tf_simmim.data.sources.formats import checks

FIRST_BYTES = b"GIF8"

_SCREEN_SIZE = 13  # bytes before the first colour table
_EXTENSION, _IMAGE = 0x21, 0x2C
_GRAPHIC_CONTROL = 0xF9
_MAX_EXTENSIONS = 100
_MAX_BLOCKS_OF_EXTENSION = 1000
# 25 MB of compressed pixels; each block takes microseconds.
_MAX_BLOCKS_OF_IMAGE = 100_000


def decode(contents, where, max_pixels) -> tf.Tensor:
    """Decodes the first frame of a GIF file.

    The rest of the file is never looked at, so an animation costs no more
    than its first frame. The empty screen around a smaller frame is left out.

    Args:
        contents: string scalar tensor.
        where: list of str or tensors, printed when the image is bad.
        max_pixels: int.

    Returns:
        uint8 [H, W, 3].

    Raises:
        tf.errors.InvalidArgumentError: the frame is cut off, too large, or
            damaged (the message of the last has no `where`).
    """
    global_size = _colour_table_size(checks.numbers(contents, 10, 1)[0])
    position, control = _first_image(contents, _SCREEN_SIZE + global_size)
    descriptor = checks.numbers(contents, position, 10)
    local_size = _colour_table_size(descriptor[9])
    # After the tables comes one byte, the size of the codes, then blocks.
    end, is_whole = _after_blocks(
        contents, position + 10 + local_size + 1, _MAX_BLOCKS_OF_IMAGE
    )
    contents = checks.require(
        (descriptor[0] == _IMAGE) & is_whole,
        ["The first frame of this GIF is cut off:"],
        where,
        contents,
    )
    width = checks.little_endian(descriptor[5:7])
    height = checks.little_endian(descriptor[7:9])
    contents = checks.require_size(height, width, max_pixels, where, contents)

    is_local = local_size > 0
    table = tf.where(is_local, position + 10, _SCREEN_SIZE)
    table_size = tf.where(is_local, local_size, global_size)
    contents = _whiten_transparent(contents, control, table, table_size)
    # A file of that frame alone, which fills its screen.
    sides = checks.piece(contents, position + 5, 4)
    alone = [
        checks.piece(contents, 0, 6),
        sides,
        checks.piece(contents, 10, _SCREEN_SIZE - 10 + global_size),
        b",\0\0\0\0",
        checks.piece(contents, position + 5, end - position - 5),
        b";",
    ]
    return tf.io.decode_gif(tf.strings.join(alone))[0]


def _colour_table_size(flags):
    """Returns the bytes of a colour table, from the byte that announces it."""
    size = 3 * tf.bitwise.left_shift(checks.int64(2), flags % 8)
    return tf.where(flags >= 128, size, 0)


def _first_image(contents, position):
    """Passes over the extensions before the first frame.

    Returns:
        int64 [], where the frame's descriptor should be, and int64 [], where
        the extension about its transparency is, or -1.
    """

    def step(position, control, _):
        head = checks.numbers(contents, position, 2)
        is_extension = head[0] == _EXTENSION
        is_control = is_extension & (head[1] == _GRAPHIC_CONTROL)
        after, is_whole = _after_blocks(
            contents, position + 2, _MAX_BLOCKS_OF_EXTENSION
        )
        return (
            tf.where(is_extension, after, position),
            tf.where(is_control, position, control),
            is_extension & is_whole,
        )

    position, control, _ = tf.while_loop(
        lambda position, control, more: more,
        step,
        (position, checks.int64(-1), tf.constant(True)),
        maximum_iterations=_MAX_EXTENSIONS,
    )
    return position, control


def _after_blocks(contents, position, max_blocks):
    """Passes over blocks, each of which starts with its size, until one of 0.

    Returns:
        int64 [], the position after them, and bool [], whether they ended.
    """
    length = checks.int64(tf.strings.length(contents))

    def step(position, _):
        size = checks.numbers(contents, position, 1)[0]
        return position + 1 + size, size

    position, size = tf.while_loop(
        lambda position, size: size > 0,
        step,
        (position, checks.int64(1)),
        maximum_iterations=max_blocks,
    )
    return position, (size == 0) & (position <= length)


def _whiten_transparent(contents, control, table, table_size):
    """Makes the transparent colour white in the colour table."""
    extension = checks.numbers(contents, tf.maximum(control, 0), 7)
    offset = 3 * extension[6]
    position = table + offset
    is_transparent = (
        (control >= 0) & (extension[3] % 2 == 1) & (offset < table_size)
    )
    whitened = [
        checks.piece(contents, 0, position),
        b"\xff\xff\xff",
        checks.piece(contents, position + 3, tf.int32.max),
    ]
    return tf.cond(
        is_transparent, lambda: tf.strings.join(whitened), lambda: contents
    )
