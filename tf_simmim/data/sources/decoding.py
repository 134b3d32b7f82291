"""Decoding of image files, with an error that says which file is bad.

Dimension key:
  H W: image, px   C: channels
"""

import re

import tensorflow as tf

from tf_simmim.data.sources.formats import bmp
from tf_simmim.data.sources.formats import checks
from tf_simmim.data.sources.formats import gif
from tf_simmim.data.sources.formats import jpeg
from tf_simmim.data.sources.formats import png
from tf_simmim.data.sources.formats import png_labels

FORMATS = "JPEG, PNG, GIF or BMP"
MAX_PIXELS = 50_000_000

_FORMATS = (jpeg, png, gif, bmp)

_decode_labels_apart = checks.apart(png_labels.decode)
_DECODERS = [checks.apart(kind.decode) for kind in _FORMATS]


def require_colour_or_grey(channels: int) -> None:
    """Refuses a number of channels that image files cannot be decoded to."""
    if channels not in (1, 3):
        raise ValueError(
            f"`channels` must be 1 (grey) or 3 (colour). Received: {channels}."
        )


def require_max_pixels(max_pixels: int) -> None:
    """Refuses a limit that no image could meet."""
    if max_pixels < 1:
        raise ValueError(
            f"`max_pixels` must be 1 or more. Received: {max_pixels}."
        )


def some_files(paths, count: int):
    """Yields the contents of files that can be read, spread over a list.

    Args:
        paths: list of bytes.
        count: int > 0. How many at most.
    """
    step = max(1, len(paths) // count)
    for path in paths[::step][:count]:
        try:
            with open(path, "rb") as file:
                yield file.read()
        except OSError:
            continue


def decode(contents, channels, where, max_pixels=MAX_PIXELS) -> tf.Tensor:
    """Decodes one image, in eager mode, in `tf.data` or in a saved model.

    The format is told by the first bytes, not by the file's name, and the
    size by the header, before anything is decoded. What each format does with
    odd files is in its module in `formats`; docs/own_data.md lists it.

    Args:
        contents: string scalar tensor.
        channels: int, 1 or 3.
        where: list of str or tensors, printed when the image is bad; valid
            UTF-8.
        max_pixels: int > 0. The most that height times width may be.

    Returns:
        uint8 [H, W, C].

    Raises:
        tf.errors.InvalidArgumentError: these are not the first bytes of any
            of the four formats, the image has no or too many pixels, the file
            is cut off, or it is damaged in another way. The message has
            `where`, but for the last reason inside a graph: then it is the
            decoder's own.
    """
    if not tf.executing_eagerly():
        return _decode(contents, channels, where, max_pixels)
    return _eagerly(_decode_apart, contents, channels, where, max_pixels)


def decode_labels(contents, size, num_classes, where, max_pixels) -> tf.Tensor:
    """Decodes a mask, a PNG that holds the class of each pixel, likewise.

    Arguments, result and errors are those of `formats.png_labels.decode`; in
    eager mode, `where` is in every message.
    """
    if not tf.executing_eagerly():
        return png_labels.decode(contents, size, num_classes, where, max_pixels)
    return _eagerly(
        _decode_labels_apart, contents, size, num_classes, where, max_pixels
    )


def _eagerly(decode_apart, contents, *options):
    # As tensors, so that other ones need no other graph.
    contents = tf.convert_to_tensor(contents)
    *options, where, max_pixels = options
    where = [tf.convert_to_tensor(part) for part in where]
    try:
        return decode_apart(contents, *options, where, max_pixels)
    except tf.errors.InvalidArgumentError as error:
        raise tf.errors.InvalidArgumentError(
            None, None, _in_one_line(error.message, where)
        ) from None


def _decode(contents, channels, where, max_pixels):
    is_format = tf.stack(
        [
            tf.strings.substr(contents, 0, len(kind.FIRST_BYTES))
            == kind.FIRST_BYTES
            for kind in _FORMATS
        ]
    )
    contents = checks.require(
        tf.reduce_any(is_format),
        [f"This is not a {FORMATS} image:"],
        where,
        contents,
    )
    image = tf.switch_case(
        tf.argmax(is_format, output_type=tf.int32),
        [
            lambda decoder=decoder: decoder(contents, where, max_pixels)
            for decoder in _DECODERS
        ],
    )
    return to_channels(tf.ensure_shape(image, [None, None, 3]), channels)


_decode_apart = checks.apart(_decode)


def _in_one_line(message, where):
    """Takes the reason out of a message that also says how it came about."""
    assertion = re.search(r"assertion failed: \[(.*)\]", message)
    if assertion:
        return assertion[1].replace("] [", " ")
    message = re.sub(r"\[\[.*?\]\]|\[Op:.*?\]", "", message)
    reason = message.strip().splitlines()[-1].strip()
    parts = [part.numpy() for part in where]
    name = " ".join(
        part.decode() if isinstance(part, bytes) else str(part)
        for part in parts
    )
    return f"This image is damaged: {name} ({reason})"


def to_channels(image, channels: int) -> tf.Tensor:
    """Turns grey images to colour or colour images to grey, where needed.

    Args:
        image: uint8 [..., H, W, 1 or 3].
        channels: int, 1 or 3.

    Returns:
        uint8 [..., H, W, channels].
    """
    if image.shape[-1] == channels:
        return image
    if channels == 1:
        return tf.image.rgb_to_grayscale(image)
    return tf.image.grayscale_to_rgb(image)
