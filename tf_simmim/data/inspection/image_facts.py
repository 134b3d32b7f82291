"""What the header of an image file says, without decoding the image."""

import dataclasses
import io

from PIL import BmpImagePlugin
from PIL import Image
from PIL import JpegImagePlugin
from PIL import PngImagePlugin

_ORIENTATION = 0x0112  # the EXIF tag
_END_OF_JPEG = b"\xff\xd9"
_END_OF_PNG = b"IEND\xaeB`\x82"

# First bytes; RIFF and ISO files say what they hold a few bytes later.
_TYPES = (
    (b"\xff\xd8\xff", 0, "jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, "png"),
    (b"GIF8", 0, "gif"),
    (b"BM", 0, "bmp"),
    (b"WEBP", 8, "webp"),
    (b"ftypavif", 4, "avif"),
    (b"ftyphei", 4, "heic"),
    (b"II*\0", 0, "tiff"),
    (b"MM\0*", 0, "tiff"),
    (b"%PDF", 0, "pdf"),
    (b"PK\x03\x04", 0, "zip"),
)

# The classes themselves: `Image.open` warns of large images, and refuses
# very large ones, before it has told their size.
_READERS = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """Facts of one file's bytes.

    Attributes:
        type: str, by the first bytes: "jpeg", "png", "gif", "bmp"; or
            another that can be named; or "unknown".
        width: int, px, or None if the header does not say.
        height: as `width`.
        end: int, number of bytes up to the end of the image; None if that
            does not come.
        is_cmyk: bool.
        is_16_bit: bool.
        has_alpha: bool. A channel or a colour is transparent; of a GIF, in
            the first frame.
        is_animated: bool.
        orientation: int, 1 for upright to 8, of EXIF; training applies that
            of a JPEG alone.
    """

    type: str
    width: int | None = None
    height: int | None = None
    end: int | None = None
    is_cmyk: bool = False
    is_16_bit: bool = False
    has_alpha: bool = False
    is_animated: bool = False
    orientation: int = 1


def type_of(contents: bytes) -> str:
    """Names the format by the first bytes."""
    for first, offset, name in _TYPES:
        if contents.startswith(first, offset):
            return name
    start = contents[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "html"
    if contents and not contents.strip(b"\0"):
        return "zeros"
    return "unknown"


def facts_of(contents: bytes) -> ImageFacts:
    """Reads the header of a file, however damaged it is.

    Args:
        contents: bytes of the whole file.
    """
    file_type = type_of(contents)
    if file_type == "gif":
        return _facts_of_gif(contents)
    if file_type not in _READERS:
        return ImageFacts(file_type)
    file = io.BytesIO(contents)
    try:
        image = _READERS[file_type](file)
    # Pillow raises what its parsers happen to raise on damaged headers.
    except Exception:
        return ImageFacts(file_type, end=_end(file_type, contents, 0))
    is_png = file_type == "png"
    exif = image.info.get("exif") if file_type == "jpeg" else None
    return ImageFacts(
        file_type,
        *image.size,
        end=_end(file_type, contents, file.tell()),
        is_cmyk=image.mode == "CMYK",
        is_16_bit=is_png and contents[24] == 16,
        has_alpha=is_png
        and (contents[25] in (4, 6) or "transparency" in image.info),
        is_animated=is_png and image.n_frames > 1,
        orientation=_orientation(exif),
    )


def _end(file_type, contents, start):
    """Returns where the image ends that begins its pixels at `start`."""
    if file_type == "bmp":
        # Some programs leave the field empty.
        size = int.from_bytes(contents[2:6], "little") or len(contents)
        return size if size <= len(contents) else None
    mark = _END_OF_JPEG if file_type == "jpeg" else _END_OF_PNG
    # Inside the pixels of a JPEG the mark cannot occur: FF is followed by 0.
    position = contents.find(mark, start)
    return None if position < 0 else position + len(mark)


def _orientation(exif):
    if not exif:
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif)
        orientation = tags.get(_ORIENTATION, 1)
    except Exception:
        return 1
    return orientation if orientation in range(1, 9) else 1


def _facts_of_gif(contents):
    """Walks over the blocks; Pillow would check sizes on the way."""
    width = int.from_bytes(contents[6:8], "little") or None
    height = int.from_bytes(contents[8:10], "little") or None
    frames, has_alpha, end = 0, False, None
    try:
        position = 13 + _palette_size(contents[10])
        while True:
            kind = contents[position]
            if kind == 0x3B:
                end = position + 1
                break
            if kind == 0x21:  # an extension
                # One is about the next frame, and the last one counts.
                if contents[position + 1] == 0xF9 and not frames:
                    has_alpha = bool(contents[position + 3] & 1)
                position += 2
            elif kind == 0x2C:  # a frame
                frames += 1
                position += 11 + _palette_size(contents[position + 9])
            else:
                break
            while length := contents[position]:
                position += 1 + length
            position += 1
    except IndexError:
        end = None
    return ImageFacts(
        "gif",
        width,
        height,
        end,
        has_alpha=has_alpha,
        is_animated=frames > 1,
    )


def _palette_size(flags):
    return 3 << ((flags & 7) + 1) if flags & 128 else 0
