"""Images of all kinds as the bytes or pixels of a request.

Dimension key:
  B: batch   H W: pixels   C: channels
"""

import dataclasses
import io
import os

import numpy as np
from PIL import Image as pil
from PIL import ImageOps

# Modes that a PNG holds as they are.
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
# Of a float32 of 0..255 as JSON writes it, with comma and brackets.
_CHARACTERS_OF_A_NUMBER = 24


@dataclasses.dataclass(frozen=True)
class RequestImage:
    """An image, ready to be sent.

    Attributes:
        index: int. Position in the call, from 0.
        name: str. Path, or empty.
        value: bytes of a file, or float32 [H, W, C] on the 0..255 scale.
    """

    index: int
    name: str
    value: object

    @property
    def num_bytes(self):
        """Size of `value` in JSON, at most: int, bytes."""
        if isinstance(self.value, bytes):
            return len(self.value) * 4 // 3 + 16
        return self.value.size * _CHARACTERS_OF_A_NUMBER


def prepare(images, pixels_allowed: bool = False):
    """Yields a `RequestImage` for each image.

    =====================================  =================================
    a path, str or `os.PathLike`           the file, as it is
    bytes                                  a file's contents, as they are
    uint8 array [H, W] or [H, W, 1|3|4]    a PNG, which loses nothing
    PIL image                              a PNG, turned as its EXIF data say
    any other array [H, W, C]              float32 pixels, 0..255
    =====================================  =================================

    The server crops and resizes all but the last, which must have the model's
    size and are what only `features` takes.

    Args:
        images: list of images, or array [B, H, W, C]. Files are read one by
            one, as they are needed.
        pixels_allowed: bool. Whether arrays may be sent as pixels.

    Raises:
        ValueError: `images` is one image, or one of them is of no such kind.
        OSError: a file cannot be read.
    """
    require_several(images)
    return (
        RequestImage(index, *_prepare_one(index, image, pixels_allowed))
        for index, image in enumerate(images)
    )


def require_several(images) -> None:
    """Raises ValueError if `images` is a single one."""
    single = isinstance(images, (str, bytes, os.PathLike, pil.Image))
    if single or (isinstance(images, np.ndarray) and images.ndim != 4):
        raise ValueError(
            "`images` must be a list of images or an array [batch, height, "
            f"width, channels]. Received: {_describe(images)}."
        )


def as_pixels(pixels):
    """Yields a `RequestImage` of pixels for each array [H, W, C]."""
    for index, array in enumerate(pixels):
        array = np.asarray(array, np.float32)
        if array.ndim != 3:
            raise ValueError(
                "`pixels` must be arrays [height, width, channels]. Received "
                f"as image {index}: {_describe(array)}."
            )
        yield RequestImage(index, "", array)


def _prepare_one(index, image, pixels_allowed):
    if isinstance(image, (str, os.PathLike)):
        with open(image, "rb") as file:
            return os.fspath(image), file.read()
    if isinstance(image, bytes):
        return "", image
    if isinstance(image, pil.Image):
        return getattr(image, "filename", ""), _png_of_pil(image)
    if isinstance(image, np.ndarray):
        if image.dtype == np.uint8 and _is_picture(image.shape):
            channels = image[..., 0] if image.shape[2:] == (1,) else image
            return "", _png(pil.fromarray(np.ascontiguousarray(channels)))
        if pixels_allowed and image.ndim == 3 and image.dtype.kind in "fiu":
            return "", image.astype(np.float32)
    kinds = "a path, bytes, a PIL image or an array uint8 [height, width, C]"
    if pixels_allowed:
        kinds += " or float [height, width, C]"
    raise ValueError(
        f"`images` must each be {kinds}. Received as image {index}: "
        f"{_describe(image)}."
    )


def _is_picture(shape):
    return min(shape, default=0) > 0 and (
        len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    )


def _png_of_pil(image):
    # A decoder of PNG ignores what EXIF data say.
    image = ImageOps.exif_transpose(image)
    if image.mode not in _MODES:
        image = image.convert("RGB")
    return _png(image)


def _png(image):
    file = io.BytesIO()
    # Sent once: time counts, not size.
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _describe(value):
    if isinstance(value, np.ndarray):
        return f"array {value.dtype} {list(value.shape)}"
    return type(value).__name__
