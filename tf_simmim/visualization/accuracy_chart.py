"""Charts of what the blocks of a backbone are worth."""

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

# Okabe and Ito's colours, which colour-blind people can tell apart.
_COLOURS = {
    "pretrained": (0, 114, 178),
    "untrained": (213, 94, 0),
    "raw pixels": (90, 90, 90),
}
_BACKGROUND_COLOUR = (255, 255, 255)
_TEXT_COLOUR = (40, 40, 40)
_GRID_COLOUR = (225, 225, 225)
# Drawn twice as large and reduced, for smooth lines.
_SCALE = 2
_PANEL = (350, 270)  # width and height, px
_PLOT = (52, 34, 336, 226)  # left, top, right and bottom in the panel, px
_LEGEND_HEIGHT = 34  # px
_PANELS_A_ROW = 3
_MAX_LABELS = 12  # on the axis of blocks
_TICKS = range(0, 101, 20)  # per cent


def accuracy_chart(report) -> np.ndarray:
    """Draws accuracy by block, one panel for each protocol.

    Lines are the pretrained and the untrained network, with a bar for the
    95 % interval of every block; a dashed line is the raw pixels, and a band
    their interval.

    Args:
        report: {name: dict} with `title`; `pretrained` and `untrained`, each
            {block: score}; and `raw_pixels`, a score. A score is a dict with
            `accuracy`, `low` and `high` in [0, 1]. As
            `evaluation.probe_report` returns it.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: `report` is empty.
    """
    if not report:
        raise ValueError("`report` must have a protocol. Received: none.")
    columns = min(len(report), _PANELS_A_ROW)
    rows = -(-len(report) // columns)
    width, height = columns * _PANEL[0], _LEGEND_HEIGHT + rows * _PANEL[1]
    canvas = Image.new(
        "RGB", (_SCALE * width, _SCALE * height), _BACKGROUND_COLOUR
    )
    draw = ImageDraw.Draw(canvas)
    _draw_legend(draw)
    for number, scores in enumerate(report.values()):
        row, column = divmod(number, columns)
        origin = (column * _PANEL[0], _LEGEND_HEIGHT + row * _PANEL[1])
        _Panel(draw, origin, list(scores["pretrained"])).draw(scores)
    return np.asarray(canvas.resize((width, height), Image.LANCZOS))


def _font(size):
    return ImageFont.load_default(size=_SCALE * size)


def _scaled(*points):
    return [(round(_SCALE * x), round(_SCALE * y)) for x, y in points]


def _write(draw, place, text, anchor, size=11):
    (place,) = _scaled(place)
    draw.text(place, text, fill=_TEXT_COLOUR, font=_font(size), anchor=anchor)


def _draw_legend(draw):
    x, y = _PLOT[0], _LEGEND_HEIGHT / 2
    for name, colour in _COLOURS.items():
        dash = 6 if name == "raw pixels" else None
        _draw_line(draw, (x, y), (x + 24, y), colour, dash)
        if dash is None:
            _draw_dot(draw, (x + 12, y), colour)
        _write(draw, (x + 30, y), name, "lm")
        x += 30 + _font(11).getlength(name) / _SCALE + 20


def _draw_line(draw, start, end, colour, dash=None):
    """Draws a line; `dash` is the length of its pieces, px, if not whole."""
    if dash is None:
        draw.line(_scaled(start, end), fill=colour, width=2 * _SCALE)
        return
    for x in np.arange(start[0], end[0], 2 * dash):
        stop = (min(x + dash, end[0]), end[1])
        draw.line(_scaled((x, start[1]), stop), fill=colour, width=2 * _SCALE)


def _draw_dot(draw, place, colour, radius=3.5):
    x, y = place
    corners = _scaled((x - radius, y - radius), (x + radius, y + radius))
    draw.ellipse(corners, fill=colour)


class _Panel:
    """One plot: blocks from left to right, per cent from bottom to top."""

    def __init__(self, draw, origin, blocks):
        self._draw = draw
        self._blocks = blocks
        left, top, right, bottom = _PLOT
        self._left, self._right = origin[0] + left, origin[0] + right
        self._top, self._bottom = origin[1] + top, origin[1] + bottom

    def draw(self, scores):
        middle = ((self._left + self._right) / 2, self._top - 8)
        _write(self._draw, middle, scores["title"], "ms", size=13)
        self._draw_interval_of_pixels(scores["raw_pixels"])
        self._draw_axes()
        y = self._y(scores["raw_pixels"]["accuracy"])
        colour = _COLOURS["raw pixels"]
        _draw_line(
            self._draw, (self._left, y), (self._right, y), colour, dash=6
        )
        for name, shift in (("untrained", 2), ("pretrained", -2)):
            self._draw_network(scores[name], _COLOURS[name], shift)

    def _x(self, number):
        """Returns the place of the block of that number in the list, px."""
        share = (number + 0.5) / len(self._blocks)
        return self._left + share * (self._right - self._left)

    def _y(self, accuracy):
        return self._bottom - accuracy * (self._bottom - self._top)

    def _draw_axes(self):
        for tick in _TICKS:
            y = self._y(tick / 100)
            ends = _scaled((self._left, y), (self._right, y))
            self._draw.line(ends, fill=_GRID_COLOUR, width=_SCALE)
            _write(self._draw, (self._left - 6, y), f"{tick}", "rm")
        every = -(-len(self._blocks) // _MAX_LABELS)
        for number, block in enumerate(self._blocks):
            if number % every == 0:
                place = (self._x(number), self._bottom + 6)
                _write(self._draw, place, block, "ma")
        _write(
            self._draw,
            ((self._left + self._right) / 2, self._bottom + 22),
            "block",
            "ma",
        )
        corner = (self._left - 40, self._top - 8)
        _write(self._draw, corner, "accuracy, %", "ls")

    def _draw_interval_of_pixels(self, score):
        corners = _scaled(
            (self._left, self._y(score["high"])),
            (self._right, self._y(score["low"])),
        )
        self._draw.rectangle(corners, fill=(238, 238, 238))

    def _draw_network(self, scores, colour, shift):
        """Draws a line; `shift`, px, keeps two bars from hiding each other."""
        places = []
        for number, block in enumerate(self._blocks):
            score, x = scores[block], self._x(number) + shift
            places.append((x, self._y(score["accuracy"])))
            bar = _scaled(
                (x, self._y(score["low"])), (x, self._y(score["high"]))
            )
            self._draw.line(bar, fill=colour, width=_SCALE + 1)
        self._draw.line(
            _scaled(*places), fill=colour, width=2 * _SCALE, joint="curve"
        )
        for place in places:
            _draw_dot(self._draw, place, colour)
