"""The size of an image, out of the first bytes of its file."""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_GIF = (b"GIF87a", b"GIF89a")
_BMP = b"BM"
_JPEG = b"\xff\xd8"
# Start of frame, but for tables (DHT, JPG, DAC) that look alike.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# A file of nothing but headers must not take long.
_MAX_JPEG_SEGMENTS = 1000


def is_image(content: bytes) -> bool:
    """Whether a file begins as a PNG, JPEG, GIF or BMP file does."""
    return content.startswith((_PNG, *_GIF, _BMP, _JPEG))


def size_of(content: bytes) -> tuple[int, int] | None:
    """Returns what a file says its size is; nothing is decoded.

    Args:
        content: bytes. Of a PNG, JPEG, GIF or BMP file.

    Returns:
        (width, height), px; None where the file is none of these or its
        header is cut off or damaged: it cannot be decoded either.
    """
    try:
        if content.startswith(_PNG):
            return struct.unpack_from(">II", content, 16)
        if content.startswith(_GIF):
            return struct.unpack_from("<HH", content, 6)
        if content.startswith(_BMP):
            return _bmp_size(content)
        if content.startswith(_JPEG):
            return _jpeg_size(content)
    except (struct.error, IndexError):
        pass
    return None


def _bmp_size(content):
    (length,) = struct.unpack_from("<I", content, 14)
    if length == 12:
        return struct.unpack_from("<HH", content, 18)
    width, height = struct.unpack_from("<ii", content, 18)
    # Negative: the rows stand from top to bottom.
    return abs(width), abs(height)


def _jpeg_size(content):
    at = len(_JPEG)
    for _ in range(_MAX_JPEG_SEGMENTS):
        # Any number of fill bytes may stand before a marker.
        marker, at = content[at + 1], at + 2
        if content[at - 2] != 0xFF:
            return None
        if marker == 0xFF:
            at -= 1
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 3)
            return width, height
        elif marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            (length,) = struct.unpack_from(">H", content, at)
            at += length
    return None
