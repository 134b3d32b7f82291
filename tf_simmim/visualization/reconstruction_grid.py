"""Pictures of reconstructions: what was hidden, and what the model put there.

Dimension key:
  B: batch   H W: image, px   C: channels   P: model patch, px
  h w: grid of model patches = H/P, W/P
"""

import numpy as np
from PIL import Image

from tf_simmim import atomic_file
from tf_simmim import masking
from tf_simmim.visualization import colours
from tf_simmim.visualization.picture_table import picture_table

COLUMNS = ("original", "masked", "prediction", "composite")

# A bluish grey, so that it cannot be taken for the greys of a scanned page.
_HIDDEN_COLOUR = (128, 140, 165)
# Where the colours of errors end: the few larger ones would darken the rest.
_ERROR_PERCENTILE = 99.0


def reconstruction_grid(
    images,
    patch_mask,
    reconstruction,
    normalization,
    min_cell_size=128,
    error_map=None,
    captions=None,
) -> np.ndarray:
    """Draws one row per image: original, masked, prediction, composite, error.

    Hidden patches are flat grey in `masked`. `prediction` is the model's
    output for the whole image; only its hidden patches were ever trained.
    `composite` takes visible pixels from the original and hidden ones from
    the prediction. `error` is there with an `error_map`: black is none, pale
    yellow the number in its heading, or more (1 % of the hidden pixels). Small
    images are enlarged by a whole factor, without smoothing, so that one sees
    their pixels.

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
        error_map: float [B, H, W] or None, as `evaluation`'s
            `reconstruction_errors` has it.
        captions: list of str, one below each row; or None.

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
    original = colours.to_rgb(normalization.denormalize(images))
    prediction = colours.to_rgb(normalization.denormalize(reconstruction))
    pictures = [
        original,
        np.where(hidden, np.uint8(_HIDDEN_COLOUR), original),
        prediction,
        np.where(hidden, prediction, original),
    ]
    headings = list(COLUMNS)
    if error_map is not None:
        error_map = np.asarray(error_map)
        largest = np.percentile(error_map[pixel_mask == 1], _ERROR_PERCENTILE)
        pictures.append(colours.heat_colours(error_map, largest))
        headings.append(f"error, 0 to {largest:.2f}")
    return picture_table(
        list(zip(*pictures, strict=True)), headings, captions, min_cell_size
    )


def write_png(path, picture: np.ndarray) -> None:
    """Writes a picture in one step: never half of one.

    Args:
        path: path of the file.
        picture: uint8 [height, width, 3].
    """
    with atomic_file.replacing(path) as file:
        Image.fromarray(picture).save(file, format="PNG")
