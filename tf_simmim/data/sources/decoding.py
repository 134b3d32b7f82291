"""Decoding of image files, with an error that says which file is bad.

Dimension key:
  H W: image, px   C: channels
"""

import tensorflow as tf

FORMATS = "JPEG, PNG, GIF or BMP"

_FIRST_BYTES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")


def require_colour_or_grey(channels: int) -> None:
    """Refuses a number of channels that image files cannot be decoded to."""
    if channels not in (1, 3):
        raise ValueError(
            f"`channels` must be 1 (grey) or 3 (colour). Received: {channels}."
        )


def decode(contents, channels: int, where: list) -> tf.Tensor:
    """Decodes one image, in eager mode or inside `tf.data`.

    The format is told by the first bytes, not by the file's name. Of an
    animated GIF the first frame is taken; transparency is dropped, and the
    orientation in a camera's EXIF tag is not applied.

    Args:
        contents: string scalar tensor.
        channels: int, 1 or 3.
        where: list of str or tensors, printed when the image is bad.

    Returns:
        uint8 [H, W, C].

    Raises:
        tf.errors.InvalidArgumentError: these are not the first bytes of any
            of the four formats (the message has `where`), or the rest is
            damaged.
    """
    known = [
        tf.equal(tf.strings.substr(contents, 0, len(first)), first)
        for first in _FIRST_BYTES
    ]
    is_image = tf.debugging.Assert(
        tf.reduce_any(known), [f"This is not a {FORMATS} image:", *where]
    )
    # In eager mode the assertion has run by now and there is no operation.
    with tf.control_dependencies([] if is_image is None else [is_image]):
        contents = tf.identity(contents)
    # GIF and BMP decode to colour only, so grey is made from colour.
    image = tf.io.decode_image(contents, channels=3, expand_animations=False)
    return to_channels(image, channels)


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
