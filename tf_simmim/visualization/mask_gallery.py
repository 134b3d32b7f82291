"""Pictures of masks: what each strategy leaves of a photograph.

Dimension key:
  H W: image, px   h w: grid of model patches
"""

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from tf_simmim import masking
from tf_simmim import randomness

# As in the pictures of reconstructions.
_HIDDEN_COLOUR = (128, 140, 165)
_BACKGROUND_COLOUR = (255, 255, 255)
_TEXT_COLOUR = (45, 45, 45)
_GAP = 6  # px
_FONT_SIZE = 13  # px
_LINE = _FONT_SIZE + _GAP


def mask_gallery(
    image, rows, headings, cell_size=(144, 144), num_masks=64, seed=0
) -> np.ndarray:
    """Draws one masked photograph for each mask generator, in a table.

    Under each stands the side of its mask patches and the generator's AvgDist.

    Args:
        image: uint8 [H, W, 3]. Shown under every mask, at the cell's size.
        rows: {title: list of `masking.PatchMask`}. One row each.
        headings: list of str. One for each column.
        cell_size: (height, width) of a photograph in the picture, px. Squares
            come out sharp where it is a multiple of the model patches' grid.
        num_masks: int. Masks whose mean AvgDist is shown.
        seed: int. Of the masks.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: `image` is not uint8 [H, W, 3], or a row has another number
            of generators than there are headings.

    Randomness: the mask in row i and column j is a function of `seed`, i, j.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(
            "`image` must be uint8 [height, width, 3]. "
            f"Received: {image.dtype} {image.shape}."
        )
    for title, generators in rows.items():
        if len(generators) != len(headings):
            raise ValueError(
                "`rows` must have one generator for each of the "
                f"{len(headings)} headings. "
                f"Received: {len(generators)} in {title!r}."
            )
    height, width = cell_size
    photograph = Image.fromarray(image).resize((width, height), Image.LANCZOS)
    font = ImageFont.load_default(size=_FONT_SIZE)
    left = 2 * _GAP + max(round(font.getlength(title)) for title in rows)
    canvas = Image.new(
        "RGB",
        (
            left + len(headings) * (width + _GAP),
            _GAP + _LINE + len(rows) * (height + _LINE + _GAP),
        ),
        _BACKGROUND_COLOUR,
    )
    draw = ImageDraw.Draw(canvas)

    def write(place, text, anchor):
        draw.text(place, text, fill=_TEXT_COLOUR, font=font, anchor=anchor)

    for j, heading in enumerate(headings):
        x = left + j * (width + _GAP) + width // 2
        write((x, _GAP), heading, "ma")
    for i, (title, generators) in enumerate(rows.items()):
        y = _GAP + _LINE + i * (height + _LINE + _GAP)
        write((_GAP, y + height // 2), title, "lm")
        for j, generator in enumerate(generators):
            x = left + j * (width + _GAP)
            draw_seed = randomness.seed_for(seed, randomness.MASK, i, j)
            mask = generator.sample(draw_seed).numpy()
            canvas.paste(_masked(photograph, mask), (x, y))
            distance = masking.expected_distance(generator, num_masks, seed)
            write(
                (x + width // 2, y + height + 2),
                f"{generator.mask_patch_size} px: AvgDist {distance:.1f}",
                "ma",
            )
    return np.asarray(canvas)


def _masked(photograph, patch_mask):
    visible = Image.fromarray(np.uint8(255 * (1 - patch_mask)))
    visible = visible.resize(photograph.size, Image.NEAREST)
    hidden = Image.new("RGB", photograph.size, _HIDDEN_COLOUR)
    return Image.composite(photograph, hidden, visible)
