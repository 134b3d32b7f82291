"""Image files as people have them, good and bad, made by builders.

Nothing is stored: `corpus()` makes every file anew, always the same bytes.
"""

import functools
import io
import struct
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image

# Of every good file whose `size` does not say otherwise.
HEIGHT, WIDTH = 16, 24

_PNG = b"\x89PNG\r\n\x1a\n"
# What Pillow must do to a scene so that the orientation undoes it.
_UNDONE_BY = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


class Item(NamedTuple):
    """A file, and what is to become of it.

    Attributes:
        contents: bytes.
        verdict: "good" or "bad".
        reason: str. One word: what is odd or wrong about it.
        size: (height, width) once decoded, px; None of bad files.
        pixels: uint8 [H, W, 3], about what it decodes to, or None.
    """

    contents: bytes
    verdict: str
    reason: str
    size: tuple | None = None
    pixels: np.ndarray | None = None


def scene() -> np.ndarray:
    """Returns uint8 [16, 24, 3]: four quarters that no turn leaves alike."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:8, :12], pixels[:8, 12:] = (200, 40, 40), (40, 180, 60)
    pixels[8:, :12], pixels[8:, 12:] = (50, 60, 210), (230, 220, 90)
    return pixels


def encoded(image, kind, **options) -> bytes:
    """Returns the file of an image: a Pillow image, or uint8 [H, W, 3]."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes, checksum=None) -> bytes:
    """Returns a chunk of a PNG file."""
    if checksum is None:
        checksum = zlib.crc32(kind + data)
    return (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
    )


def png_header(width, height, bits=8, colour_type=2) -> bytes:
    """Returns the first 33 bytes of a PNG file."""
    data = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return _PNG + chunk(b"IHDR", data)


def exif(orientation, order="<", kind=3, offset=8, count=None) -> bytes:
    """Returns an EXIF segment of a JPEG file with two entries.

    Args:
        orientation: int.
        order: "<", lowest byte first, or ">".
        kind: int. 3 is the type that the value must have.
        offset: int. Where the directory is said to be.
        count: int. The entries there are said to be. Default: 2.
    """
    mark = b"II" if order == "<" else b"MM"
    block = mark + struct.pack(order + "HI", 42, offset)
    block += struct.pack(order + "H", 2 if count is None else count)
    block += struct.pack(order + "HHII", 0x0100, 4, 1, 24)
    block += struct.pack(order + "HHIHH", 0x0112, kind, 1, orientation, 0)
    return segment(b"Exif\0\0" + block + b"\0\0\0\0")


def segment(data: bytes, marker=0xE1) -> bytes:
    """Returns a segment of a JPEG file."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


@functools.cache  # One of them is 432 MB before it is compressed.
def corpus() -> dict[str, Item]:
    """Returns the files by name; they are shared, so change none."""
    items = {}
    for part in (_jpegs, _pngs, _gifs, _bmps, _others):
        items.update(part())
    return items


def _good(contents, reason, pixels=None, size=None):
    if size is None:
        size = (HEIGHT, WIDTH) if pixels is None else pixels.shape[:2]
    return Item(contents, "good", reason, size, pixels)


def _bad(contents, reason):
    return Item(contents, "bad", reason)


def _jpegs():
    pixels = scene()
    image = Image.fromarray(pixels)
    grey = np.repeat(np.asarray(image.convert("L"))[..., None], 3, axis=-1)
    plain = encoded(image, "JPEG", quality=95, subsampling=0)
    progressive = encoded(
        image, "JPEG", quality=95, subsampling=0, progressive=True
    )
    cmyk = encoded(image.convert("CMYK"), "JPEG", quality=95, subsampling=0)
    noise = np.random.RandomState(0).randint(0, 256, (40, 56, 3), np.uint8)
    long = encoded(noise, "JPEG", quality=95)
    frame = plain.index(b"\xff\xc0")
    scan = plain.index(b"\xff\xda")

    def sized(height, width):
        sides = struct.pack(">HH", height, width)
        return plain[: frame + 5] + sides + plain[frame + 9 :]

    def with_segment(data, contents=plain):
        return contents[:2] + data + contents[2:]

    thumbnail = with_segment(segment(exif(1)[4:] + plain))
    items = {
        "plain.jpg": _good(plain, "ordinary", pixels),
        "upper.JPG": _good(plain, "ordinary", pixels),
        "jpeg_named.png": _good(plain, "extension", pixels),
        "progressive.jpg": _good(progressive, "progressive", pixels),
        "grey.jpg": _good(
            encoded(image.convert("L"), "JPEG", quality=95), "grey", grey
        ),
        "cmyk.jpg": _good(cmyk, "cmyk", pixels),
        "subsampled.jpg": _good(
            encoded(image, "JPEG", subsampling=2), "ordinary"
        ),
        "garbage_after.jpg": _good(plain + b"garbage" * 9, "trailing", pixels),
        "comment_first.jpg": _good(
            with_segment(segment(b"no photograph", 0xFE)), "comment", pixels
        ),
        "thumbnail.jpg": _good(thumbnail, "thumbnail", pixels),
        "cut_with_thumbnail.jpg": _bad(thumbnail[:-40], "cut"),
        "one_pixel.jpg": _good(
            encoded(pixels[:1, :1], "JPEG"), "tiny", size=(1, 1)
        ),
        "strip.jpg": _good(
            encoded(np.full((1, 5000, 3), 90, np.uint8), "JPEG"),
            "tiny",
            np.full((1, 5000, 3), 90, np.uint8),
        ),
        "three_bytes.jpg": _bad(b"\xff\xd8\xff", "cut"),
        "start_and_end.jpg": _bad(b"\xff\xd8\xff\xd9", "damaged"),
        "cut_in_header.jpg": _bad(plain[: frame + 3], "cut"),
        "cut_before_scan.jpg": _bad(plain[:scan], "cut"),
        "cut_after_scan_header.jpg": _bad(plain[: scan + 14], "cut"),
        "cut_in_half.jpg": _bad(long[: len(long) // 2], "cut"),
        "cut_by_two.jpg": _bad(plain[:-2], "cut"),
        "cut_by_one.jpg": _bad(plain[:-1], "cut"),
        "cut_progressive.jpg": _bad(
            progressive[: len(progressive) * 2 // 3], "cut"
        ),
        "huge_header.jpg": _bad(sized(20_000, 20_000), "pixels"),
        "hugest_header.jpg": _bad(sized(65_500, 65_500), "pixels"),
        "no_width.jpg": _bad(sized(16, 0), "damaged"),
        "no_tables.jpg": _bad(plain[:2] + plain[frame:], "damaged"),
        "arithmetic.jpg": _bad(
            plain.replace(b"\xff\xc0", b"\xff\xcb", 1), "damaged"
        ),
    }
    for order, name in (("<", "little"), (">", "big")):
        for orientation, undone_by in _UNDONE_BY.items():
            turned = image if undone_by is None else image.transpose(undone_by)
            turned = encoded(turned, "JPEG", quality=95, subsampling=0)
            # After the JFIF segment, where most programs write it, or first.
            at = 20 if order == "<" else 2
            data = exif(orientation, order)
            items[f"orientation_{orientation}_{name}.jpg"] = _good(
                turned[:at] + data + turned[at:], "orientation", pixels
            )
    damaged = {
        "nine": exif(9),
        "zero": exif(0),
        "kind": exif(6, kind=2),
        "offset": exif(6, offset=0xFFFFFFFF),
        "count": exif(9, count=0xFFFF),
        "order": exif(6).replace(b"II", b"XX"),
        "magic": exif(6).replace(b"II*", b"II+"),
        "cut": segment(exif(6)[4:30]),
        "empty": segment(b"Exif\0\0"),
    }
    for name, data in damaged.items():
        items[f"exif_{name}.jpg"] = _good(with_segment(data), "exif", pixels)
    # The segment claims more than there is, and swallows the image.
    long_exif = exif(6)[:2] + b"\xff\xff" + exif(6)[4:]
    items["exif_too_long.jpg"] = _bad(with_segment(long_exif), "damaged")
    return items


def _pngs():
    pixels = scene()
    image = Image.fromarray(pixels)
    plain = encoded(image, "PNG")
    grey = image.convert("L")
    grey_pixels = np.repeat(np.asarray(grey)[..., None], 3, axis=-1)
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:8] = 0
    alpha[8:, 12:] = 51  # a fifth
    on_white = pixels.copy()
    on_white[:8] = 255
    # 230 / 5 + 255 * 4 / 5 = 250, 220 -> 248, 90 -> 222
    on_white[8:, 12:] = (250, 248, 222)
    grey_on_white = np.where(alpha[..., None] < 255, 255, grey_pixels)
    halves = Image.fromarray(np.where(alpha == 255, 255, 0).astype(np.uint8))
    rgba = Image.fromarray(np.dstack([pixels, alpha]))
    la = Image.merge("LA", (grey, halves))
    palette = image.quantize(4)
    first_white = np.where(
        (np.asarray(palette) == 2)[..., None], 255, pixels
    ).astype(np.uint8)
    key_white = np.where(
        (pixels == (200, 40, 40)).all(-1)[..., None], 255, pixels
    )
    bilevel = np.zeros((HEIGHT, WIDTH), bool)
    bilevel[:, 5:] = True
    # High bytes 0..255, low bytes that rounding would carry over.
    deep = (np.arange(HEIGHT * WIDTH) % 256).reshape(HEIGHT, WIDTH)
    deep_file = Image.fromarray((deep * 256 + 255).astype(np.uint16))
    deep = np.repeat(deep[..., None], 3, axis=-1).astype(np.uint8)
    bad_sum = bytearray(plain)
    bad_sum[plain.index(b"IDAT") + 4 + 6] ^= 0x10
    text = chunk(b"tEXt", b"Comment\0" + b"no tRNS here " * 50)
    end = chunk(b"IEND", b"")
    many = b"".join([chunk(b"tEXt", b"a\0b")] * 1500)
    flat = zlib.compress(bytes(12_000 * 3 + 1) * 12_000, 1)
    return {
        "plain.png": _good(plain, "ordinary", pixels),
        "png_named.jpg": _good(plain, "extension", pixels),
        "grey.png": _good(encoded(grey, "PNG"), "grey", grey_pixels),
        "bilevel.png": _good(
            encoded(Image.fromarray(bilevel), "PNG"),
            "bilevel",
            np.repeat(bilevel[..., None], 3, -1).astype(np.uint8) * 255,
        ),
        "palette.png": _good(encoded(palette, "PNG"), "palette", pixels),
        "palette_transparent.png": _good(
            encoded(palette, "PNG", transparency=2), "alpha", first_white
        ),
        "colour_key.png": _good(
            encoded(image, "PNG", transparency=(200, 40, 40)),
            "alpha",
            key_white.astype(np.uint8),
        ),
        "rgba.png": _good(encoded(rgba, "PNG"), "alpha", on_white),
        "la.png": _good(
            encoded(la, "PNG"), "alpha", grey_on_white.astype(np.uint8)
        ),
        "sixteen_bits.png": _good(encoded(deep_file, "PNG"), "deep", deep),
        "text.png": _good(plain[:33] + text + plain[33:], "comment", pixels),
        "many_chunks.png": _good(
            plain[:33] + many + plain[33:], "comment", pixels
        ),
        "garbage_after.png": _good(plain + b"garbage", "trailing", pixels),
        "one_pixel.png": _good(
            encoded(pixels[:1, :1], "PNG"), "tiny", pixels[:1, :1]
        ),
        "bad_checksum.png": _bad(bytes(bad_sum), "damaged"),
        "signature.png": _bad(_PNG, "empty"),
        "cut_in_header.png": _bad(plain[:20], "cut"),
        "header.png": _bad(plain[:33], "cut"),
        "cut_in_half.png": _bad(plain[: len(plain) * 2 // 3], "cut"),
        "no_end.png": _bad(plain[:-12], "cut"),
        "bomb.png": _bad(
            png_header(12_000, 12_000) + chunk(b"IDAT", flat) + end, "pixels"
        ),
        "huge_header.png": _bad(png_header(30_000, 30_000) + end, "pixels"),
        "hugest_header.png": _bad(
            png_header(2**31 - 1, 2**31 - 1) + end, "pixels"
        ),
        "impossible_header.png": _bad(
            png_header(2**32 - 1, 2**32 - 1) + end, "pixels"
        ),
        "no_width.png": _bad(png_header(0, 16) + end, "empty"),
    }


def _gifs():
    pixels = scene()
    palette = Image.fromarray(pixels).quantize(4)
    plain = encoded(palette, "GIF")
    other = Image.fromarray(255 - pixels).quantize(4)
    animated = encoded(
        palette, "GIF", save_all=True, append_images=[other] * 3, duration=40
    )
    transparent = np.where(
        (np.asarray(palette) == 1)[..., None], 255, pixels
    ).astype(np.uint8)
    huge_screen = plain[:6] + b"\xff\xff\xff\xff" + plain[10:]
    image = plain.rindex(b"," + b"\0" * 4 + struct.pack("<HH", WIDTH, HEIGHT))
    return {
        "plain.gif": _good(plain, "ordinary", pixels),
        "gif_named.jpg": _good(plain, "extension", pixels),
        "animated.gif": _good(animated, "animated", pixels),
        "animated_cut.gif": _good(animated[:-60], "animated", pixels),
        "transparent.gif": _good(
            encoded(palette, "GIF", transparency=1), "alpha", transparent
        ),
        "interlaced.gif": _good(
            encoded(palette, "GIF", interlace=1), "ordinary", pixels
        ),
        "huge_screen.gif": _good(huge_screen, "screen", pixels),
        "moved.gif": _good(
            plain[: image + 1] + b"\5\0\7\0" + plain[image + 5 :],
            "screen",
            pixels,
        ),
        "no_trailer.gif": _good(plain[:-1], "trailing", pixels),
        "huge_frame.gif": _bad(
            plain[: image + 5] + b"\xff\xff\xff\xff" + plain[image + 9 :],
            "pixels",
        ),
        "larger_frame.gif": _bad(
            plain[: image + 5] + b"\0\1\0\1" + plain[image + 9 :], "damaged"
        ),
        "no_image.gif": _bad(plain[:image] + b";", "cut"),
        "cut_in_header.gif": _bad(plain[:9], "cut"),
        "cut_in_half.gif": _bad(plain[: image + 20], "cut"),
        "cut_by_two.gif": _bad(plain[:-2], "cut"),
    }


def _bmps():
    pixels = scene()
    image = Image.fromarray(pixels)
    palette = image.quantize(4)
    plain = encoded(image, "BMP")
    upside_down = (
        plain[:22] + struct.pack("<i", -HEIGHT) + plain[26:54]
    ) + pixels[..., ::-1].tobytes()
    return {
        "plain.bmp": _good(plain, "ordinary", pixels),
        "bmp_named.jpg": _good(plain, "extension", pixels),
        "palette.bmp": _good(encoded(palette, "BMP"), "palette", pixels),
        "four_bytes.bmp": _good(
            encoded(image.convert("RGBA"), "BMP"), "alpha", pixels
        ),
        "top_down.bmp": _good(upside_down, "ordinary", pixels),
        "garbage_after.bmp": _good(plain + b"garbage", "trailing", pixels),
        "odd_width.bmp": _good(
            encoded(pixels[:, :23], "BMP"), "ordinary", pixels[:, :23]
        ),
        "bilevel.bmp": _bad(encoded(image.convert("1"), "BMP"), "bits"),
        "run_lengths.bmp": _bad(
            plain[:30] + struct.pack("<I", 1) + plain[34:], "compressed"
        ),
        "two_letters.bmp": _bad(b"BM", "cut"),
        "cut_by_one.bmp": _bad(plain[:-1], "cut"),
        "huge_header.bmp": _bad(
            plain[:18] + struct.pack("<ii", 2**31 - 1, -(2**31)) + plain[26:],
            "pixels",
        ),
    }


def _others():
    image = Image.fromarray(scene())
    return {
        "empty.jpg": _bad(b"", "empty"),
        "one_byte.jpg": _bad(b"\xff", "format"),
        "nuls.jpg": _bad(bytes(5000), "format"),
        "page.jpg": _bad(b"<!DOCTYPE html><html>not found</html>", "format"),
        "webp_named.jpg": _bad(encoded(image, "WEBP"), "format"),
        "tiff_named.jpg": _bad(encoded(image, "TIFF"), "format"),
        "avif_named.jpg": _bad(b"\0\0\0\x20ftypavif" + bytes(64), "format"),
        "text_before.jpg": _bad(b"\r\n" + encoded(image, "JPEG"), "format"),
    }
