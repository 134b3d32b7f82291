"""Small image files, good, odd and damaged, as bytes."""

import io

import numpy as np
from PIL import Image

H, W = 40, 56


def pixels(seed=0, height=H, width=W):
    """Returns smooth colours, so that JPEG keeps them, uint8 [H, W, 3]."""
    ramp = np.linspace(0, 200, height * width * 3)
    return (ramp + seed).astype(np.uint8).reshape(height, width, 3)


def encoded(image_format="JPEG", mode="RGB", seed=0, size=None, **options):
    """Returns a file of the format; `size` is (width, height)."""
    image = Image.fromarray(pixels(seed)).convert(mode)
    if size is not None:
        image = image.resize(size)
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def turned(orientation=6, image_format="JPEG"):
    """Returns a file whose EXIF data say how the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image_format, exif=exif)


def animated(image_format="GIF", **options):
    """Returns two frames."""
    second = Image.fromarray(255 - pixels())
    return encoded(
        image_format, save_all=True, append_images=[second], **options
    )


def png_16_bit(step=20):
    """Returns a grey PNG of 16 bits a pixel, with 0, `step`, 2 `step`, ..."""
    grey = np.arange(H * W, dtype=np.uint16).reshape(H, W) * step
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()


def flipped(contents, position=None):
    """Returns the file with one byte changed, in the middle by default."""
    position = len(contents) // 2 if position is None else position
    changed = bytearray(contents)
    changed[position] ^= 0xFF
    return bytes(changed)


def huge_png():
    """Returns a small file of 8,000 x 8,000 pixels."""
    file = io.BytesIO()
    Image.new("1", (8000, 8000)).save(file, "PNG")
    return file.getvalue()


def write(root, files):
    """Writes {path: contents} below a folder; paths are str or bytes."""
    for name, contents in files.items():
        name = name.encode() if isinstance(name, str) else name
        path = root / name.decode("utf-8", "surrogateescape")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
