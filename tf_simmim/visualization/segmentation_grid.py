"""Pictures of segmentations: image, truth and prediction side by side.

Dimension key:
  B: batch   H W: image, px   C: channels   L: classes
"""

import colorsys

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

_COLUMNS = ("image", "truth", "prediction")
_BACKGROUND_COLOUR = (255, 255, 255)
_TEXT_COLOUR = (45, 45, 45)
_FIRST_CLASS_COLOUR = (45, 45, 45)
_IGNORED_COLOUR = (255, 255, 255)
_GAP = 6  # px
_FONT_SIZE = 13  # px
_LINE = _FONT_SIZE + _GAP
# More names than this would be longer than the picture.
_MAX_NAMES = 24
_GOLDEN_RATIO = 0.618033988749895


def segmentation_grid(
    images, truth, prediction, class_names, min_cell_size=128
) -> np.ndarray:
    """Draws one row per image: image, truth, prediction; and the colours.

    The first class, which is the background in many data sets, is dark grey;
    the others go round the circle of hues by the golden ratio. A pixel without
    a class is white in `truth`. Under the rows are the classes that occur.

    Args:
        images: uint8 [B, H, W, C]. Of three channels or more, the first three
            are shown; else the first, as grey.
        truth: int [B, H, W, 1]. What is no class is ignored.
        prediction: int [B, H, W]. Classes.
        class_names: sequence of L str.
        min_cell_size: int, px. Each picture's shorter side is at least this
            in the grid.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: the shapes do not fit each other.
    """
    images, truth, prediction = map(np.asarray, (images, truth, prediction))
    shape = images.shape[:3]
    if truth.shape != (*shape, 1) or prediction.shape != shape:
        raise ValueError(
            "`truth` must be [B, H, W, 1] and `prediction` [B, H, W], for "
            f"`images` [B, H, W, C]. Received: {truth.shape}, "
            f"{prediction.shape} and {images.shape}."
        )
    num_classes = len(class_names)
    palette = np.full([256, 3], _IGNORED_COLOUR, np.uint8)
    palette[:num_classes] = class_colours(num_classes)
    truth = truth[..., 0]
    first_three = images[..., :3]
    if images.shape[-1] < 3:
        first_three = images[..., :1].repeat(3, axis=-1)
    rows = [first_three, palette[truth], palette[prediction]]
    scale = max(1, -(-min_cell_size // min(shape[1:])))
    rows = [each.repeat(scale, axis=1).repeat(scale, axis=2) for each in rows]

    found = np.union1d(truth, prediction)
    names = [(class_names[c], palette[c]) for c in found if c < num_classes]
    return _arrange(rows, names[:_MAX_NAMES])


def class_colours(num_classes: int) -> np.ndarray:
    """Returns uint8 [L, 3], colours that tell classes apart."""
    hues = np.arange(num_classes) * _GOLDEN_RATIO % 1.0
    colours = [
        colorsys.hsv_to_rgb(hue, (0.9, 0.6)[i % 2], (0.95, 0.75)[i // 2 % 2])
        for i, hue in enumerate(hues)
    ]
    colours = np.round(255 * np.array(colours)).astype(np.uint8)
    colours[0] = _FIRST_CLASS_COLOUR
    return colours


def _arrange(columns, names):
    """Lays out the columns under their headings, and the names below."""
    num_rows, height, width, _ = columns[0].shape
    font = ImageFont.load_default(size=_FONT_SIZE)
    full_width = _GAP + len(columns) * (width + _GAP)
    place, places = [_GAP, 0], []
    for name, _ in names:
        needed = _LINE + round(font.getlength(name)) + 2 * _GAP
        if place[0] > _GAP and place[0] + needed > full_width:
            place = [_GAP, place[1] + 1]
        places.append(tuple(place))
        place[0] += needed
    below = _GAP + _LINE + num_rows * (height + _GAP)
    canvas = Image.new(
        "RGB",
        (full_width, below + _LINE * (place[1] + 1) + _GAP),
        _BACKGROUND_COLOUR,
    )
    draw = ImageDraw.Draw(canvas)
    for i, (heading, column) in enumerate(zip(_COLUMNS, columns, strict=True)):
        x = _GAP + i * (width + _GAP)
        draw.text((x, _GAP), heading, fill=_TEXT_COLOUR, font=font)
        for j, cell in enumerate(column):
            y = _GAP + _LINE + j * (height + _GAP)
            canvas.paste(Image.fromarray(cell), (x, y))
    for (x, line), (name, colour) in zip(places, names, strict=True):
        y = below + line * _LINE
        box = (x, y, x + _FONT_SIZE, y + _FONT_SIZE)
        draw.rectangle(box, fill=tuple(map(int, colour)))
        draw.text((x + _LINE, y), name, fill=_TEXT_COLOUR, font=font)
    return np.asarray(canvas)
