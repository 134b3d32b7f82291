"""Tests for tf_simmim.visualization.kept_widths."""

import numpy as np
import pytest

from tf_simmim import visualization

BLUE, VERMILION, GREEN = (0, 114, 178), (213, 94, 0), (0, 158, 115)
TOP, HEIGHT = 62, 180
BLOCK = {"num_heads": 3, "key_dim": 32, "value_dim": 20, "mlp_dim": 384}


def heights(picture, colour):
    """Returns the heights of the bars of a colour, left to right, px."""
    plot = picture[TOP - 2 : TOP + HEIGHT].astype(int)
    counts = (np.abs(plot - colour).max(axis=-1) < 40).sum(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], counts > 0, [0]])))
    # Smooth edges of two bars that meet may mix to the third colour.
    return [counts[a:b].max() for a, b in edges.reshape(-1, 2) if b - a > 5]


def test_bars_are_as_high_as_what_is_kept():
    after = [
        {**BLOCK, "mlp_dim": 96, "value_dim": 10},
        {**BLOCK, "num_heads": 2, "key_dim": 12},
    ]
    picture = visualization.kept_widths([BLOCK, BLOCK], after)
    assert picture.shape == (282, 420, 3)
    for colour, shares in (
        (BLUE, [0.25, 1.0]),
        (VERMILION, [1.0, 0.25]),  # 2 of 3 heads of 12 of 32
        (GREEN, [0.5, 2 / 3]),
    ):
        want = [share * HEIGHT for share in shares]
        np.testing.assert_allclose(heights(picture, colour), want, atol=2)


def test_many_blocks_make_a_wider_picture():
    picture = visualization.kept_widths([BLOCK] * 24, [BLOCK] * 24)
    assert picture.shape[1] > 1000
    assert len(heights(picture, BLUE)) == 24


@pytest.mark.parametrize("before, after", [([], []), ([BLOCK], [BLOCK] * 2)])
def test_other_blocks_are_refused(before, after):
    with pytest.raises(ValueError, match="blocks of `before`"):
        visualization.kept_widths(before, after)
