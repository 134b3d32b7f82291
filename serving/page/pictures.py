"""Pictures to try a model with, out of a package that is there anyway."""

import dataclasses
import functools
import io
import pathlib

import numpy as np
from PIL import Image

_PHOTOGRAPHS = ("china", "flower")
# Of a photograph: rows and columns of square crops, and their size, px.
_ROWS, _COLUMNS, _CROP = 2, 3, 213
_PHOTO_SIZE, _DIGIT_SIZE = 160, 64  # px
_NUM_DIGITS = 20


@dataclasses.dataclass(frozen=True)
class Picture:
    """A built-in picture.

    Attributes:
        name: str, for people.
        file: str. Its name in an address.
        media_type: str.
        content: bytes of the file.
    """

    name: str
    file: str
    media_type: str
    content: bytes


@functools.cache
def pictures() -> tuple[Picture, ...]:
    """Returns the built-in pictures.

    Six crops of each of the two photographs that scikit-learn ships, 160 px,
    and two of each of its ten digits, 8 px wide, made larger to 64 px: bright
    on dark, as `builtin:digits` has them.
    """
    # It takes a second, which a server without visitors saves.
    from sklearn import datasets

    folder = pathlib.Path(datasets.__file__).parent / "images"
    found = []
    for name in _PHOTOGRAPHS:
        photograph = Image.open(folder / f"{name}.jpg").convert("RGB")
        for number in range(_ROWS * _COLUMNS):
            top, left = (_CROP * place for place in divmod(number, _COLUMNS))
            crop = photograph.crop((left, top, left + _CROP, top + _CROP))
            found.append(
                Picture(
                    f"{name}, part {number + 1}",
                    f"{name}-{number + 1}.jpg",
                    "image/jpeg",
                    _encoded(crop, _PHOTO_SIZE, "JPEG"),
                )
            )
    digits = datasets.load_digits()
    for number in range(_NUM_DIGITS):
        pixels = np.round(digits.images[number] * (255 / 16)).astype(np.uint8)
        found.append(
            Picture(
                f"digit {digits.target[number]}",
                f"digit-{number + 1}.png",
                "image/png",
                _encoded(Image.fromarray(pixels), _DIGIT_SIZE, "PNG"),
            )
        )
    return tuple(found)


def _encoded(image, size, kind):
    file = io.BytesIO()
    image.resize((size, size), Image.BICUBIC).save(file, kind)
    return file.getvalue()
