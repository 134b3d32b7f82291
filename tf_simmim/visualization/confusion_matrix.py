"""A picture of what a classifier takes for what.

Dimension key:
  L: classes
"""

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

_BACKGROUND_COLOUR = (255, 255, 255)
_TEXT_COLOUR = (45, 45, 45)
# A square is white for no image, and this where all are.
_FULL_COLOUR = (18, 60, 130)
_NO_IMAGES_COLOUR = (235, 235, 235)
_GAP = 6  # px
_FONT_SIZE = 13  # px
_MAX_NAME = 24  # characters
# Side of a square, px: for so many classes at most. Names and numbers need
# the first.
_SIDES = ((40, 48), (100, 10), (400, 3))


def confusion_matrix(confusion, class_names) -> np.ndarray:
    """Draws one row for each class: what its images were taken for.

    Darkness is the share of the row's images. Up to 40 classes have their
    names and numbers; of more, only squares are drawn, with how right they
    are in all.

    Args:
        confusion: int [L, L]. Images of the class of the row that were taken
            for the class of the column.
        class_names: sequence of L str.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: `confusion` is not [L, L].
    """
    confusion = np.asarray(confusion)
    num_classes = len(class_names)
    if confusion.shape != (num_classes, num_classes):
        raise ValueError(
            "`confusion` must have a row and a column for each of the "
            f"{num_classes} class names. Received shape: {confusion.shape}."
        )
    totals = confusion.sum(axis=1, keepdims=True)
    shares = confusion / np.maximum(totals, 1)  # [L, L]
    white, full = np.array(_BACKGROUND_COLOUR), np.array(_FULL_COLOUR)
    colours = white + shares[..., np.newaxis] * (full - white)
    colours = np.where(totals[..., np.newaxis] > 0, colours, _NO_IMAGES_COLOUR)
    side = next((s for most, s in _SIDES if num_classes <= most), 1)
    squares = np.round(colours).astype(np.uint8)
    squares = squares.repeat(side, axis=0).repeat(side, axis=1)

    font = ImageFont.load_default(size=_FONT_SIZE)
    heading = (
        f"{np.trace(confusion) / max(totals.sum(), 1):.1%} of "
        f"{totals.sum()} images right; rows: their class, columns: taken for"
    )
    is_labelled = side == _SIDES[0][1]
    names = [_short(name) for name in class_names] if is_labelled else []
    margin = max([round(font.getlength(n)) for n in names], default=0)
    left = 2 * _GAP + margin
    top = 2 * _GAP + _FONT_SIZE + 2 * _GAP + margin
    width = max(left + len(squares), 2 * _GAP + round(font.getlength(heading)))
    canvas = Image.new(
        "RGB", (width + _GAP, top + len(squares) + _GAP), _BACKGROUND_COLOUR
    )
    draw = ImageDraw.Draw(canvas)
    draw.text((_GAP, _GAP), heading, fill=_TEXT_COLOUR, font=font)
    canvas.paste(Image.fromarray(squares), (left, top))
    edge = [left - 1, top - 1, left + len(squares), top + len(squares)]
    draw.rectangle(edge, outline=_TEXT_COLOUR)
    for i, name in enumerate(names):
        centre = i * side + side // 2
        place = (left - _GAP, top + centre)
        draw.text(place, name, fill=_TEXT_COLOUR, font=font, anchor="rm")
        _draw_upwards(canvas, name, font, (left + centre, top - _GAP))
        for j, count in enumerate(confusion[i]):
            if count:
                is_dark = shares[i, j] > 0.5
                draw.text(
                    (left + j * side + side // 2, top + centre),
                    str(count),
                    fill=_BACKGROUND_COLOUR if is_dark else _TEXT_COLOUR,
                    font=font,
                    anchor="mm",
                )
    return np.asarray(canvas)


def _draw_upwards(canvas, text, font, place):
    """Writes a text that ends at the top, above a place."""
    size = (max(round(font.getlength(text)), 1), sum(font.getmetrics()))
    line = Image.new("L", size)
    ImageDraw.Draw(line).text((0, 0), text, fill=255, font=font)
    line = line.rotate(90, expand=True)
    x, y = place
    corner = (x - line.width // 2, y - line.height)
    canvas.paste(_TEXT_COLOUR, (*corner,), line)


def _short(name):
    if len(name) <= _MAX_NAME:
        return name
    return name[: _MAX_NAME - 3] + "..."
