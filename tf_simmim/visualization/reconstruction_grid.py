"""Pictures of reconstructions: what was hidden, and what the model put there.

Dimension key:
  B: batch   H W: image, px   C: channels   P: model patch, px
  h w: grid of model patches = H/P, W/P
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from tf_simmim import masking

COLUMNS = ("original", "masked", "prediction", "composite")

# A bluish grey, so that it cannot be taken for the greys of a scanned page.
_HIDDEN_COLOUR = (128, 140, 165)
_BACKGROUND_COLOUR = (255, 255, 255)
_TEXT_COLOUR = (60, 60, 60)
_GAP = 4


def reconstruction_grid(
    images, patch_mask, reconstruction, normalization, min_cell_size=128
) -> np.ndarray:
    """Draws one row per image: original, masked, prediction, composite.

    Hidden patches are flat grey in `masked`. `prediction` is the model's
    output for the whole image; only its hidden patches were ever trained.
    `composite` takes visible pixels from the original and hidden ones from
    the prediction. Small images are enlarged by a whole factor, without
    smoothing, so that one sees their pixels.

    Args:
        images: float [B, H, W, C]. Normalised. One channel is shown as grey;
            of any other number but three, the first three channels are shown
            (of two, the first).
        patch_mask: int or bool [B, h, w]. 1 = hidden, 0 = visible.
        reconstruction: float [B, H, W, C]. Normalised.
        normalization: object whose `denormalize` makes uint8 pixels, such as
            `data.Normalization`.
        min_cell_size: int, px. Each picture's shorter side is at least this
            in the grid.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: the images and their reconstruction differ in shape, or
            the mask does not fit them.
    """
    images = np.asarray(images)
    reconstruction = np.asarray(reconstruction)
    patch_mask = np.asarray(patch_mask).astype(np.int32)
    if images.shape != reconstruction.shape:
        raise ValueError(
            "`reconstruction` must have the shape of `images`. Received: "
            f"{reconstruction.shape} and {images.shape}."
        )
    patch_size = images.shape[1] // patch_mask.shape[1]
    pixel_mask = masking.to_pixel_mask(patch_mask, patch_size).numpy()
    if pixel_mask.shape != images.shape[:3]:
        raise ValueError(
            "`patch_mask` must cover the images with square patches. Received: "
            f"{patch_mask.shape} for images {images.shape}."
        )

    hidden = pixel_mask[..., np.newaxis] == 1  # [B, H, W, 1]
    original = _to_rgb(normalization.denormalize(images))
    prediction = _to_rgb(normalization.denormalize(reconstruction))
    pictures = [
        original,
        np.where(hidden, np.uint8(_HIDDEN_COLOUR), original),
        prediction,
        np.where(hidden, prediction, original),
    ]
    scale = max(1, -(-min_cell_size // min(images.shape[1:3])))
    pictures = [p.repeat(scale, axis=1).repeat(scale, axis=2) for p in pictures]
    return _arrange(pictures)


def write_png(path, picture: np.ndarray) -> None:
    """Writes a picture in one step: never half of one.

    Args:
        path: path of the file.
        picture: uint8 [height, width, 3].
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    Image.fromarray(picture).save(temporary, format="PNG")
    os.replace(temporary, path)


def _to_rgb(images):
    """Returns uint8 [B, H, W, 3] of images with any number of channels."""
    images = np.asarray(images)
    channels = images.shape[-1]
    return images[..., :3] if channels >= 3 else images[..., :1].repeat(3, -1)


def _arrange(columns):
    """Lays out one column per entry, under its heading, with thin gaps."""
    num_rows, cell_height, cell_width, _ = columns[0].shape
    font = ImageFont.load_default(size=max(12, min(cell_width // 8, 24)))
    heading_height = sum(font.getmetrics()) + _GAP
    width = _GAP + len(columns) * (cell_width + _GAP)
    height = _GAP + heading_height + num_rows * (cell_height + _GAP)

    canvas = Image.new("RGB", (width, height), _BACKGROUND_COLOUR)
    draw = ImageDraw.Draw(canvas)
    for i, (heading, column) in enumerate(zip(COLUMNS, columns, strict=True)):
        x = _GAP + i * (cell_width + _GAP)
        draw.text(
            (x + cell_width // 2, _GAP),
            heading,
            fill=_TEXT_COLOUR,
            font=font,
            anchor="ma",
        )
        for j, cell in enumerate(column):
            y = _GAP + heading_height + j * (cell_height + _GAP)
            canvas.paste(Image.fromarray(cell), (x, y))
    return np.asarray(canvas)
