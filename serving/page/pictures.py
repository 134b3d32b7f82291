"""Pictures to try a model with: of a folder, or of a package that is there."""

import dataclasses
import functools
import io
import pathlib

import numpy as np
from PIL import Image

from serving import errors

_MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
}
_MAX_SAMPLES = 32
_MAX_BYTES = 2**22  # Of a sample: a page loads all of them.
_PHOTOGRAPHS = ("china", "flower")
# Of a photograph: rows and columns of square crops, and their size, px.
_ROWS, _COLUMNS, _CROP = 2, 3, 213
_PHOTO_SIZE, _DIGIT_SIZE = 160, 64  # px
_NUM_DIGITS = 20


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture that the page shows.

    Attributes:
        name: str, for people.
        file: str. Its name in an address.
        media_type: str.
        content: bytes of the file.
        channels: int. Of the models that it is meant for; None for all.
    """

    name: str
    file: str
    media_type: str
    content: bytes
    channels: int | None = None


def samples(folder) -> tuple[Picture, ...]:
    """Returns the image files of a folder, 32 at most, in their order.

    Those of more than 4 MiB are left out. In addresses they have numbers.

    Args:
        folder: path.

    Raises:
        ServingError: it cannot be read (NOT_FOUND), or holds no such file
            (INVALID_ARGUMENT).
    """
    found = []
    try:
        for path in sorted(pathlib.Path(folder).iterdir()):
            media_type = _MEDIA_TYPES.get(path.suffix.lower())
            if media_type is None or not path.is_file():
                continue
            if path.stat().st_size > _MAX_BYTES or len(found) == _MAX_SAMPLES:
                continue
            number = len(found) + 1
            name = path.stem.encode("utf-8", "replace").decode()
            file = f"sample-{number}{path.suffix.lower()}"
            found.append(Picture(name, file, media_type, path.read_bytes()))
    except OSError as error:
        raise errors.ServingError(
            "NOT_FOUND", f"--sample_dir: {error.strerror}: {error.filename}"
        ) from error
    if not found:
        raise errors.invalid_argument(
            "--sample_dir must hold PNG, JPEG, GIF or BMP files of up to "
            f"{_MAX_BYTES} bytes. Received: {folder}."
        )
    return tuple(found)


@functools.cache
def built_in() -> tuple[Picture, ...]:
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
                    channels=3,
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
                channels=1,
            )
        )
    return tuple(found)


def _encoded(image, size, kind):
    file = io.BytesIO()
    image.resize((size, size), Image.BICUBIC).save(file, kind)
    return file.getvalue()
