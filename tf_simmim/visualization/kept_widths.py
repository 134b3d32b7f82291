"""Charts of how much of each block of a network is left."""

import numpy as np

from tf_simmim.visualization import charting

_PARTS = {
    "mlp_dim": ("MLP units", charting.BLUE),
    "key_dim": ("queries and keys", charting.VERMILION),
    "value_dim": ("values", charting.GREEN),
}
_BAR, _GAP = 14, 16  # px: a bar, and between blocks
_TOP, _HEIGHT, _LEFT, _BELOW = 62, 180, 56, 40  # px
_LEAST_WIDTH = 420  # px, for the legend
_RIGHT = 20  # px


def kept_widths(before, after) -> np.ndarray:
    """Draws what share of the widths each block of a transformer has kept.

    Widths of heads are those of all heads of a block together.

    Args:
        before: sequence of dicts, one a block, with `num_heads`, `key_dim`,
            `value_dim` and `mlp_dim`: of the original, as
            `compression.measurement.widths_of` gives them.
        after: the same of the smaller network.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: there is no block, or the networks have different numbers.
    """
    if not before or len(before) != len(after):
        raise ValueError(
            "`after` must have the blocks of `before`, one at least. "
            f"Received: {len(after)} and {len(before)}."
        )
    room = len(before) * (len(_PARTS) * _BAR + _GAP)
    width = max(_LEAST_WIDTH, _LEFT + room + _RIGHT)
    block_width = (width - _LEFT - _RIGHT) / len(before)
    canvas, draw = charting.blank(width, _TOP + _HEIGHT + _BELOW)
    bottom = _TOP + _HEIGHT
    charting.draw_percent_axis(
        draw, _LEFT, _TOP, width - _RIGHT, bottom, "kept, %"
    )
    x = _LEFT
    for title, colour in _PARTS.values():
        charting.draw_dot(draw, (x, 16), colour, radius=5)
        charting.write(draw, (x + 10, 16), title, "lm")
        x += charting.text_width(title) + 26
    for number, pair in enumerate(zip(before, after, strict=True)):
        middle = _LEFT + (number + 0.5) * block_width
        x = middle - len(_PARTS) * _BAR / 2
        charting.write(draw, (middle, bottom + 6), f"{number}", "ma")
        for part, (_, colour) in _PARTS.items():
            first, second = (_total(block, part) for block in pair)
            top = bottom - second / first * _HEIGHT
            charting.draw_box(
                draw, (x + 1, top), (x + _BAR - 1, bottom), colour
            )
            x += _BAR
    place = ((_LEFT + width - _RIGHT) / 2, bottom + 22)
    charting.write(draw, place, "block", "ma")
    return charting.finished(canvas)


def _total(block, part):
    return block[part] * (1 if part == "mlp_dim" else block["num_heads"])
