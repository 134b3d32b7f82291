"""Charts of what the blocks of a backbone are worth."""

import numpy as np

from tf_simmim.visualization import charting

_COLOURS = {
    "pretrained": charting.BLUE,
    "untrained": charting.VERMILION,
    "raw pixels": charting.GREY,
}
_PANEL = (350, 270)  # width and height, px
_PLOT = (52, 34, 336, 226)  # left, top, right and bottom in the panel, px
_LEGEND_HEIGHT = 34  # px
_PANELS_A_ROW = 3
_MAX_LABELS = 12  # on the axis of blocks


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
    canvas, draw = charting.blank(width, height)
    _draw_legend(draw)
    for number, scores in enumerate(report.values()):
        row, column = divmod(number, columns)
        origin = (column * _PANEL[0], _LEGEND_HEIGHT + row * _PANEL[1])
        _Panel(draw, origin, list(scores["pretrained"])).draw(scores)
    return charting.finished(canvas)


def _draw_legend(draw):
    x, y = _PLOT[0], _LEGEND_HEIGHT / 2
    for name, colour in _COLOURS.items():
        dash = 6 if name == "raw pixels" else None
        charting.draw_line(draw, (x, y), (x + 24, y), colour, dash)
        if dash is None:
            charting.draw_dot(draw, (x + 12, y), colour)
        charting.write(draw, (x + 30, y), name, "lm")
        x += 30 + charting.text_width(name) + 20


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
        charting.write(self._draw, middle, scores["title"], "ms", size=13)
        self._draw_interval_of_pixels(scores["raw_pixels"])
        self._draw_axes()
        y = self._y(scores["raw_pixels"]["accuracy"])
        colour = _COLOURS["raw pixels"]
        charting.draw_line(
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
        charting.draw_accuracy_axis(
            self._draw, self._left, self._top, self._right, self._bottom
        )
        every = -(-len(self._blocks) // _MAX_LABELS)
        for number, block in enumerate(self._blocks):
            if number % every == 0:
                place = (self._x(number), self._bottom + 6)
                charting.write(self._draw, place, block, "ma")
        charting.write(
            self._draw,
            ((self._left + self._right) / 2, self._bottom + 22),
            "block",
            "ma",
        )

    def _draw_interval_of_pixels(self, score):
        corners = charting.scaled(
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
            bar = charting.scaled(
                (x, self._y(score["low"])), (x, self._y(score["high"]))
            )
            self._draw.line(bar, fill=colour, width=charting.SCALE + 1)
        charting.draw_curve(self._draw, places, colour)
