"""Lines, dots and words of charts.

Everything is drawn `SCALE` times as large as it will be, and reduced by
`finished`, for smooth lines. Places and sizes are those of the finished chart,
px.
"""

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

SCALE = 2
# Okabe and Ito's colours, which colour-blind people can tell apart.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)
GREY = (90, 90, 90)
_BACKGROUND_COLOUR = (255, 255, 255)
_TEXT_COLOUR = (40, 40, 40)
_GRID_COLOUR = (225, 225, 225)
_TICKS = range(0, 101, 20)  # per cent


def blank(width: int, height: int):
    """Returns a canvas for a chart of that size, and what draws on it."""
    canvas = Image.new(
        "RGB", (SCALE * width, SCALE * height), _BACKGROUND_COLOUR
    )
    return canvas, ImageDraw.Draw(canvas)


def finished(canvas) -> np.ndarray:
    """Returns a canvas as uint8 [height, width, 3], at its size."""
    size = (canvas.width // SCALE, canvas.height // SCALE)
    return np.asarray(canvas.resize(size, Image.LANCZOS))


def scaled(*points):
    """Returns places on the canvas."""
    return [(round(SCALE * x), round(SCALE * y)) for x, y in points]


def text_width(text: str, size: int = 11) -> float:
    """Returns how wide a text comes out."""
    return _font(size).getlength(text) / SCALE


def write(draw, place, text, anchor, size=11):
    """Writes a text; `anchor` is Pillow's."""
    (place,) = scaled(place)
    draw.text(place, text, fill=_TEXT_COLOUR, font=_font(size), anchor=anchor)


def draw_line(draw, start, end, colour, dash=None):
    """Draws a line; `dash` is the length of its pieces, if not whole."""
    if dash is None:
        draw.line(scaled(start, end), fill=colour, width=2 * SCALE)
        return
    for x in np.arange(start[0], end[0], 2 * dash):
        stop = (min(x + dash, end[0]), end[1])
        draw.line(scaled((x, start[1]), stop), fill=colour, width=2 * SCALE)


def draw_curve(draw, places, colour):
    """Draws a line through places, with a dot on each."""
    draw.line(scaled(*places), fill=colour, width=2 * SCALE, joint="curve")
    for place in places:
        draw_dot(draw, place, colour)


def draw_dot(draw, place, colour, radius=3.5):
    """Draws a full circle."""
    x, y = place
    corners = scaled((x - radius, y - radius), (x + radius, y + radius))
    draw.ellipse(corners, fill=colour)


def draw_box(draw, start, end, colour):
    """Draws a full rectangle from its upper left to its lower right."""
    draw.rectangle(scaled(start, end), fill=colour)


def draw_grid_line(draw, start, end):
    """Draws a thin line behind what is told."""
    draw.line(scaled(start, end), fill=_GRID_COLOUR, width=SCALE)


def draw_accuracy_axis(draw, left, top, right, bottom):
    """Draws lines from 0 to 100 %, with their numbers on the left."""
    draw_percent_axis(draw, left, top, right, bottom, "accuracy, %")


def draw_percent_axis(draw, left, top, right, bottom, title):
    """Draws the same lines of something else; `title` stands above them."""
    for tick in _TICKS:
        y = bottom - tick / 100 * (bottom - top)
        draw_grid_line(draw, (left, y), (right, y))
        write(draw, (left - 6, y), f"{tick}", "rm")
    write(draw, (left - 40, top - 8), title, "ls")


def _font(size):
    return ImageFont.load_default(size=SCALE * size)
