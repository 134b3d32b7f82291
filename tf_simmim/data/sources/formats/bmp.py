"""BMP: 24 and 32 bits a pixel, and palettes of 8 bits.

Dimension key:
  H W: image, px
"""

import tensorflow as tf

from tf_simmim.data.sources.formats import checks

FIRST_BYTES = b"BM"

_HEADER_SIZE = 66
_UNCOMPRESSED, _BIT_FIELDS = 0, 3
# Blue, green, red, unused: the order that 32 bits have without bit fields.
_USUAL_FIELDS = b"\0\0\xff\0\0\xff\0\0\xff\0\0\0"


def decode(contents, where, max_pixels) -> tf.Tensor:
    """Decodes a BMP file.

    The palette of 8 bits is applied. The fourth byte of 32 bits is dropped,
    since it need not be transparency.

    Args:
        contents: string scalar tensor.
        where: list of str or tensors, printed when the image is bad.
        max_pixels: int.

    Returns:
        uint8 [H, W, 3].

    Raises:
        tf.errors.InvalidArgumentError: the file is cut off, too large,
            compressed, or has another number of bits.
    """
    header = checks.numbers(contents, 0, _HEADER_SIZE)
    start = checks.little_endian(header[10:14])
    info_size = checks.little_endian(header[14:18])
    width = _signed(checks.little_endian(header[18:22]))
    height = tf.abs(_signed(checks.little_endian(header[22:26])))
    bits = checks.little_endian(header[28:30])
    compression = checks.little_endian(header[30:34])
    is_usual = (compression == _UNCOMPRESSED) | (
        (compression == _BIT_FIELDS)
        & (bits == 32)
        & (checks.piece(contents, 54, len(_USUAL_FIELDS)) == _USUAL_FIELDS)
    )
    is_known = tf.reduce_any(bits == checks.int64([8, 24, 32]))
    contents = checks.require(
        (info_size >= 40) & is_usual & is_known,
        ["A BMP must be uncompressed, of 8, 24 or 32 bits. Received:", bits],
        where,
        contents,
    )
    contents = checks.require_size(height, width, max_pixels, where, contents)
    end = start + (width * bits + 31) // 32 * 4 * height
    contents = checks.require(
        (start >= 14 + info_size)
        & (end <= checks.int64(tf.strings.length(contents))),
        ["This BMP is cut off:"],
        where,
        contents,
    )
    # TensorFlow refuses anything after the pixels.
    pixels = tf.io.decode_bmp(checks.piece(contents, 0, end))

    def with_palette():
        num_colours = checks.little_endian(header[46:50])
        num_colours = tf.where(num_colours > 0, num_colours, 256)
        size = tf.minimum(4 * num_colours, start - 14 - info_size)
        palette = checks.piece(contents, 14 + info_size, size)
        palette = tf.io.decode_raw(palette, tf.uint8, fixed_length=4 * 256)
        palette = tf.reshape(palette, [256, 4])[:, 2::-1]
        return tf.gather(palette, tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(bits == 8, with_palette, lambda: pixels[..., :3])


def _signed(number):
    return tf.where(number >= 1 << 31, number - (1 << 32), number)
