"""A table of pictures of one size, with headings above and captions below.

Dimension key:
  H W: a picture, px
"""

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

_BACKGROUND_COLOUR = (255, 255, 255)
_TEXT_COLOUR = (60, 60, 60)
_GAP = 4  # px
_CAPTION_SIZE = 12  # px


def picture_table(
    rows, headings=None, captions=None, min_cell_size=128
) -> np.ndarray:
    """Lays pictures out in rows, with thin gaps.

    Small pictures are enlarged by a whole factor, without smoothing, so that
    one sees their pixels.

    Args:
        rows: list of lists of uint8 [H, W, 3], all of one size. Rows may
            differ in length.
        headings: list of str, one a column; or None.
        captions: list with an entry for each row, or None. An entry is a str,
            written below the whole row, or a list of str, one below each
            picture; of several lines, if need be. What is too long for its
            place is cut off, with dots.
        min_cell_size: int, px. Each picture's shorter side is at least this
            in the table.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: there is no picture, or they differ in size; or headings
            or captions are not as many as columns or rows.
    """
    rows = [[np.asarray(cell) for cell in row] for row in rows]
    _require_one_size(rows)
    num_columns = max(map(len, rows))
    _require_number("headings", headings, num_columns)
    _require_number("captions", captions, len(rows))
    captions = captions or [""] * len(rows)

    factor = max(1, -(-min_cell_size // min(rows[0][0].shape[:2])))
    height, width = (factor * side for side in rows[0][0].shape[:2])
    font = ImageFont.load_default(size=max(12, min(width // 8, 24)))
    small_font = ImageFont.load_default(size=_CAPTION_SIZE)
    top = _GAP
    if headings:
        top += sum(font.getmetrics()) + _GAP
    tops = []
    for caption in captions:
        tops.append(top)
        top += height + _GAP + _caption_height(caption, small_font)
    total_width = _GAP + num_columns * (width + _GAP)
    canvas = Image.new("RGB", (total_width, top), _BACKGROUND_COLOUR)
    draw = ImageDraw.Draw(canvas)

    def write(place, text, font, room, anchor):
        x, y = place
        for line in text.split("\n"):
            line = _cut(line, font, room)
            draw.text((x, y), line, _TEXT_COLOUR, font, anchor=anchor)
            y += sum(font.getmetrics())

    lefts = [_GAP + i * (width + _GAP) for i in range(num_columns)]
    for left, heading in zip(lefts, headings or (), strict=False):
        write((left + width // 2, _GAP), heading, font, width + _GAP, "ma")
    for row, y, caption in zip(rows, tops, captions, strict=True):
        for left, cell in zip(lefts, row, strict=False):
            enlarged = cell.repeat(factor, axis=0).repeat(factor, axis=1)
            canvas.paste(Image.fromarray(enlarged), (left, y))
        y += height + _GAP // 2
        if isinstance(caption, str):
            room = total_width - 2 * _GAP
            write((_GAP, y), caption, small_font, room, "la")
        else:
            for left, text in zip(lefts, caption, strict=False):
                place = (left + width // 2, y)
                write(place, text, small_font, width, "ma")
    return np.asarray(canvas)


def _require_one_size(rows):
    kinds = {(cell.shape, cell.dtype.name) for row in rows for cell in row}
    is_good = len(kinds) == 1
    if is_good:
        ((shape, dtype),) = kinds
        is_good = len(shape) == 3 and shape[-1] == 3 and dtype == "uint8"
    if not is_good:
        raise ValueError(
            "`rows` must have pictures of one size, uint8 [height, width, 3]. "
            f"Received: {sorted(kinds)}."
        )


def _require_number(name, texts, number):
    if texts is not None and len(texts) != number:
        raise ValueError(
            f"`{name}` must have {number} entries. Received: {len(texts)}."
        )


def _caption_height(caption, font):
    texts = [caption] if isinstance(caption, str) else caption
    if not any(texts):
        return 0
    num_lines = max(text.count("\n") + 1 for text in texts)
    return num_lines * sum(font.getmetrics()) + _GAP


def _cut(text, font, room):
    """Returns as much of a text as there is room for, px."""
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "...") > room:
        text = text[:-1]
    return text + "..."
