"""Charts of how accuracy grows while classifiers learn."""

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
_SIZE = (520, 330)  # px, without the legend
_PLOT = (56, 34, 500, 280)  # left, top, right and bottom, px
_LEGEND_ROW = 20  # px
_NUM_TICKS = 5  # on the axis of steps


def accuracy_curves(curves) -> np.ndarray:
    """Draws the accuracy of several runs over their steps.

    Args:
        curves: {name: list of (int step > 0, float accuracy in [0, 1])}, one
            to six runs, each with a point or more, in the order of steps.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: there is no run, or more than six; or a run has no point.
    """
    if not 1 <= len(curves) <= len(_COLOURS):
        raise ValueError(
            f"`curves` must be of 1 to {len(_COLOURS)} runs, which is how many "
            f"colours one can tell apart. Received: {len(curves)}."
        )
    for name, points in curves.items():
        if not points:
            raise ValueError(
                f"`curves` must have a point for each run. Received none: "
                f"{name!r}."
            )
    width, height = _SIZE[0], _SIZE[1] + _LEGEND_ROW * len(curves)
    canvas, draw = charting.blank(width, height)
    left, top, right, bottom = _PLOT
    charting.draw_accuracy_axis(draw, left, top, right, bottom)
    last = max(points[-1][0] for points in curves.values())
    for i in range(_NUM_TICKS + 1):
        x = left + i / _NUM_TICKS * (right - left)
        step = f"{round(i / _NUM_TICKS * last):,}"
        charting.write(draw, (x, bottom + 6), step, "ma")
    middle = ((left + right) / 2, bottom + 24)
    charting.write(draw, middle, "steps of fine-tuning", "ma")
    for number, (name, points) in enumerate(curves.items()):
        colour = _COLOURS[number]
        places = [
            (
                left + step / last * (right - left),
                bottom - accuracy * (bottom - top),
            )
            for step, accuracy in points
        ]
        charting.draw_curve(draw, places, colour)
        y = _SIZE[1] + _LEGEND_ROW * number
        charting.draw_line(draw, (left, y), (left + 24, y), colour)
        charting.draw_dot(draw, (left + 12, y), colour)
        charting.write(draw, (left + 30, y), name, "lm")
    return charting.finished(canvas)
