"""Charts of what smaller networks are worth, by what they cost."""

import math

import numpy as np

from tf_simmim.visualization import charting

_COLOURS = (
    charting.BLUE,
    charting.VERMILION,
    charting.GREEN,
    charting.PURPLE,
    charting.ORANGE,
    charting.SKY,
)
_PANEL = (360, 280)  # width and height, px
_PLOT = (62, 30, 340, 224)  # left, top, right and bottom in the panel, px
_LEGEND_ROW = 20  # px
_NUM_TICKS = 5
# Per cent. A shorter axis would make a mountain of one image in a thousand.
_LEAST_SPAN = 4.0
_STEPS = (1, 2, 2.5, 5, 10)  # between ticks, of a power of ten


def trade_off_chart(points, score_title, costs) -> np.ndarray:
    """Draws a score against each of several costs, a panel for each.

    A line leads from one network to the next, and each has a colour of its
    own. The axis of costs begins at 0; that of the score is as long as the
    scores need, and four per cent at the least.

    Args:
        points: {name: (score in [0, 1], tuple of a cost >= 0 for each of
            `costs`)}, one to six networks, the original first.
        score_title: str, such as "accuracy".
        costs: sequence of str: what the panels are of, with units.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: there is no network, more than six, or one with another
            number of costs.
    """
    if not 1 <= len(points) <= len(_COLOURS):
        raise ValueError(
            f"`points` must be of 1 to {len(_COLOURS)} networks, which is how "
            f"many colours one can tell apart. Received: {len(points)}."
        )
    for name, (_, values) in points.items():
        if len(values) != len(costs):
            raise ValueError(
                f"`points` must have a cost for each of {tuple(costs)}. "
                f"Received for {name!r}: {values}."
            )
    width = len(costs) * _PANEL[0]
    height = _PANEL[1] + _LEGEND_ROW * len(points) + 6
    canvas, draw = charting.blank(width, height)
    scores = [100 * score for score, _ in points.values()]
    for number, title in enumerate(costs):
        _draw_panel(
            draw,
            number * _PANEL[0],
            scores,
            [values[number] for _, values in points.values()],
            f"{score_title}, %",
            title,
        )
    for number, name in enumerate(points):
        y = _PANEL[1] + _LEGEND_ROW * number + 4
        charting.draw_dot(draw, (_PLOT[0], y), _COLOURS[number], radius=5)
        charting.write(draw, (_PLOT[0] + 12, y), name, "lm")
    return charting.finished(canvas)


def _draw_panel(draw, shift, scores, costs, score_title, title):
    left, top, right, bottom = _PLOT
    left, right = left + shift, right + shift
    middle = (min(scores) + max(scores)) / 2
    low, high, rise = _range(
        min(*scores, middle - _LEAST_SPAN / 2),
        max(*scores, middle + _LEAST_SPAN / 2),
    )
    _, most, step = _range(0.0, max(costs))

    def x_of(cost):
        return left + cost / most * (right - left)

    def y_of(score):
        return bottom - (score - low) / (high - low) * (bottom - top)

    for tick in _ticks(low, high, rise):
        charting.draw_grid_line(draw, (left, y_of(tick)), (right, y_of(tick)))
        charting.write(draw, (left - 6, y_of(tick)), f"{tick:g}", "rm")
    for tick in _ticks(0.0, most, step):
        charting.write(draw, (x_of(tick), bottom + 6), f"{tick:g}", "ma")
    charting.write(draw, (left - 46, top - 10), score_title, "ls")
    charting.write(draw, ((left + right) / 2, bottom + 24), title, "ma")
    places = [(x_of(c), y_of(s)) for c, s in zip(costs, scores, strict=True)]
    for start, end in zip(places, places[1:], strict=False):
        charting.draw_curve(draw, [start, end], charting.GREY)
    for number, place in enumerate(places):
        charting.draw_dot(draw, place, _COLOURS[number], radius=5)


def _range(low, high):
    """Returns (low, high, step) of an axis whose ticks are round numbers."""
    span = high - low or max(abs(high), 1.0) / 10
    power = 10 ** math.floor(math.log10(span / _NUM_TICKS))
    step = next(s * power for s in _STEPS if s * power * _NUM_TICKS >= span)
    first = math.floor(low / step - 1e-9) * step if low else 0.0
    last = math.ceil(high / step + 1e-9) * step
    return first, max(last, first + step), step


def _ticks(low, high, step):
    return [low + i * step for i in range(round((high - low) / step) + 1)]
