"""Shows what the mask strategies hide, and how far from what is visible.

    python experiments/mask_gallery.py --out=mask_gallery.png

draws every strategy over a photograph and prints their AvgDist (mean distance
of hidden pixels to the nearest visible one) as a table. The picture and the
table of docs/masking.md are made by it.
"""

import numpy as np
import sklearn.datasets
from absl import flags
from PIL import Image

from tf_simmim import masking
from tf_simmim import visualization
from tf_simmim.programs import command_line

_OUT = flags.DEFINE_string(
    "out", "mask_gallery.png", "Write the picture to this PNG file."
)
_IMAGE = flags.DEFINE_string(
    "image",
    None,
    "Mask the square in the middle of this photograph. By default it is one "
    "that scikit-learn ships.",
)
_NUM_MASKS = flags.DEFINE_integer(
    "num_masks", 64, "Average each value over this many masks.", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "Draw the masks from this seed.")

_IMAGE_SIZE = 192  # px, the paper's for Swin
_PATCH_SIZE = 4  # px, of a Swin
_TITLES = {
    "random": "random",
    "block_wise": "block-wise",
    "grid": "grid",
    "free_form": "free-form",
    "pixel": "pixel",
}
# Mask patch in px, and mask ratio.
_COLUMNS = ((32, 0.4), (32, 0.6), (32, 0.8), (16, 0.6), (8, 0.6))
_RATIOS = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8)
_TABLE = (
    ("random", 4),
    ("random", 8),
    ("random", 16),
    ("random", 32),
    ("random", 64),
    ("block_wise", 16),
    ("block_wise", 32),
    ("grid", 16),
    ("grid", 32),
    ("free_form", 16),
    ("free_form", 32),
)


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    make()


@command_line.plain_errors()
def make():
    """Writes the picture and prints the table."""
    picture = visualization.mask_gallery(
        _photograph(),
        {title: _row(name) for name, title in _TITLES.items()},
        [f"{size} px squares, {100 * ratio:.0f} %" for size, ratio in _COLUMNS],
        num_masks=_NUM_MASKS.value,
        seed=_SEED.value,
    )
    # A palette makes a third of the file, and is hard to tell apart.
    Image.fromarray(picture).quantize(128).save(_OUT.value, optimize=True)
    print(f"{_OUT.value}: {picture.shape[1]} x {picture.shape[0]} px")
    print()
    print("\n".join(_table()))


def _photograph():
    if _IMAGE.value is None:
        image = Image.fromarray(sklearn.datasets.load_sample_image("china.jpg"))
    else:
        try:
            image = Image.open(_IMAGE.value).convert("RGB")
        except OSError as error:
            raise ValueError(
                f"--image must be a photograph. Received: {_IMAGE.value}; "
                f"{error}."
            ) from error
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def _row(name):
    generators = []
    for size, ratio in _COLUMNS:
        # The last columns show single patches of other backbones, too.
        own_patch = name == "pixel" and size < 32
        patch_size = size if own_patch else _PATCH_SIZE
        generators.append(
            masking.create(name, _IMAGE_SIZE, patch_size, size, ratio)
        )
    return generators


def _table():
    """Returns the lines of a Markdown table of AvgDist."""
    lines = [
        "| strategy | square | "
        + " | ".join(f"{100 * ratio:.0f} %" for ratio in _RATIOS)
        + " |",
        "|---" * (2 + len(_RATIOS)) + "|",
    ]
    for name, size in _TABLE:
        generators = [
            masking.create(name, _IMAGE_SIZE, _PATCH_SIZE, size, ratio)
            for ratio in _RATIOS
        ]
        values = [
            f"{masking.expected_distance(g, _NUM_MASKS.value, _SEED.value):.1f}"
            for g in generators
        ]
        lines.append(
            f"| {_TITLES[name]} | {size} px | " + " | ".join(values) + " |"
        )
    return lines


def launch(argv):
    """Runs the program, and ends the process.

    Args:
        argv: list of str. The command line, program name first.
    """
    command_line.run(main, argv)
