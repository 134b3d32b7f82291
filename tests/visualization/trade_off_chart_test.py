"""Tests for tf_simmim.visualization.trade_off_chart."""

import numpy as np
import pytest

from tf_simmim import visualization

BLUE, VERMILION = (0, 114, 178), (213, 94, 0)
COSTS = ("size, MB", "ms")
POINTS = {"original": (0.9, (2.0, 4.0)), "pruned": (0.6, (0.5, 1.0))}


def middle_of(picture, colour, columns):
    """Returns (row, column) of a dot of a colour above the legend."""
    plot = picture[:230, columns].astype(int)
    rows, found = np.nonzero(np.abs(plot - colour).max(axis=-1) < 60)
    return rows.mean(), found.mean() + columns.start


def test_dots_stand_at_their_scores_and_costs():
    picture = visualization.trade_off_chart(POINTS, "accuracy", COSTS)
    assert picture.shape == (326, 720, 3)
    assert picture.dtype == np.uint8
    # Axes: 60 to 90 per cent, or wider by a tick; 0 to 2 MB; 0 to 4 ms.
    for columns, least in ((slice(0, 360), 62), (slice(360, 720), 422)):
        first = middle_of(picture, BLUE, columns)
        second = middle_of(picture, VERMILION, columns)
        # Four times as cheap, from a zero at the left of the plot.
        ratio = (first[1] - least) / (second[1] - least)
        assert abs(ratio - 4) < 0.1
        assert first[0] < second[0]


def test_a_small_difference_of_scores_looks_small():
    points = {"a": (0.96, (1.0,)), "b": (0.957, (1.0,))}
    picture = visualization.trade_off_chart(points, "accuracy", ["MB"])
    columns = slice(0, 360)
    rows = [middle_of(picture, c, columns)[0] for c in (BLUE, VERMILION)]
    assert 2 < rows[1] - rows[0] < 25  # px, of the plot's 194


def test_equal_points_and_zero_costs_have_axes():
    points = {"a": (0.5, (0.0,)), "b": (0.5, (0.0,))}
    assert visualization.trade_off_chart(points, "mIoU", ["MB"]).any()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({}, "1 to 6 networks.*Received: 0"),
        ({str(i): (0.5, (1, 1)) for i in range(7)}, "Received: 7"),
        ({"a": (0.5, (1,))}, "a cost for each of.*'a'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(points, message):
    with pytest.raises(ValueError, match=message):
        visualization.trade_off_chart(points, "accuracy", COSTS)
