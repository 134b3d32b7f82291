"""Images of more than 8 bits, of which 8 stay: are these the right ones?

Dimension key:
  H W: image, px   C: channels
"""

import numpy as np
import tensorflow as tf
from absl import logging

from tf_simmim.data.sources import decoding
from tf_simmim.data.sources.formats import png

_NUM_IMAGES = 8  # of a source that are looked at
_LARGEST = 65535
# Values in less than half of the range leave less than 7 of the 8 bits.
_ENOUGH = 32768
# Of the values, one in a thousand at either end: hot and dead pixels.
_PERCENTILES = ((0.1, "lower"), (99.9, "higher"))


def range_of_16_bits(contents: bytes, max_pixels=decoding.MAX_PIXELS):
    """Returns the range of values in a PNG file of 16 bits.

    The least and the greatest value, but for one in a thousand at either end.

    Args:
        contents: bytes of a file of any kind.
        max_pixels: int. Larger images are not decoded.

    Returns:
        (int, int), of the channels without transparency; None for a file that
        is no such PNG, or is damaged.
    """
    header = contents[: png.HEADER_SIZE]
    if (
        not contents.startswith(png.FIRST_BYTES)
        or len(header) < png.HEADER_SIZE
        or header[24] != 16
    ):
        return None
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (16, 20))
    if not 0 < width * height <= max_pixels:
        return None
    try:
        with tf.device("CPU:0"):
            image = tf.io.decode_png(contents, dtype=tf.uint16)
    except tf.errors.InvalidArgumentError:
        return None
    colours = image.numpy()[..., : 1 if image.shape[-1] < 3 else 3]
    return tuple(
        int(np.percentile(colours, part, method=method))
        for part, method in _PERCENTILES
    )


def is_narrow(values) -> bool:
    """Whether a range of 16-bit values leaves little of an image in 8 bits."""
    return values[1] - values[0] < _ENOUGH


def text(values) -> str:
    """Says which part of the range is used."""
    return f"values from {values[0]:,} to {values[1]:,} of {_LARGEST:,}"


def warn(source, max_pixels=decoding.MAX_PIXELS) -> None:
    """Logs a warning if most 16-bit images use a part of their range each.

    It looks at a few images of a source.

    Args:
        source: `Source`.
        max_pixels: int. Of the images that are read.
    """
    ranges = []
    try:
        for contents in source.encoded_images(_NUM_IMAGES):
            ranges.append(range_of_16_bits(contents, max_pixels))
    except tf.errors.OpError:
        pass  # Training says what is damaged, and where.
    found = [values for values in ranges if values is not None]
    narrow = [values for values in found if is_narrow(values)]
    if 2 * len(narrow) <= len(found):
        return
    whole = min(low for low, _ in narrow), max(high for _, high in narrow)
    logging.warning(
        "%s has images of 16 bits a channel, %d of the %d that were looked at, "
        "with %s. The high 8 bits are kept, so they are nearly black or "
        "without contrast: spread their values over the whole range first "
        "(docs/own_data.md).",
        source.name,
        len(narrow),
        len(ranges),
        text(whole),
    )
