"""How many files a minute `experiments/check_data.py` examines on a core.

    python benchmarks/check_data.py

writes JPEGs of ordinary size, crops of the photographs that scikit-learn and
scikit-image ship, and examines them as the program does, with one worker up
to one a core. The files are in the page cache: a slow disk comes on top. It
prints one table; the target is 10,000 files a minute on a core. On a busy
machine, CPU time says more than the clock.
"""

import os
import pathlib
import sys
import tempfile
import time

from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from tf_simmim.data import inspection  # noqa: E402  (sets TensorFlow up)

# isort: split
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from skimage import data as scikit_images  # noqa: E402
from sklearn import datasets  # noqa: E402

_FILES = flags.DEFINE_integer("files", 2000, "Files to write.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "Measurements of each row, taken in turn.", lower_bound=1
)
_SIZE = (500, 375)  # px, width and height: an ordinary ImageNet photograph
_QUALITY = 95
_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field")


def photographs():
    """Returns real photographs in colour."""
    images = [getattr(scikit_images, name)() for name in _PHOTOS]
    images += datasets.load_sample_images().images
    return [Image.fromarray(image) for image in images]


def write_files(folder, size=_SIZE):
    """Writes random crops, each of its own place and scale."""
    rng = np.random.default_rng(0)
    photos = photographs()
    for number in range(_FILES.value):
        photo = photos[number % len(photos)]
        width = int(min(photo.width, photo.height * 4 / 3))
        width = int(width * rng.uniform(0.8, 1.0))
        height = width * 3 // 4
        left = rng.integers(photo.width - width + 1)
        top = rng.integers(photo.height - height + 1)
        crop = photo.crop((left, top, left + width, top + height))
        crop.resize(size, Image.Resampling.BICUBIC).save(
            folder / f"{number:05}.jpg", quality=_QUALITY
        )


def measure(folder, num_workers):
    """Returns (wall time, CPU time) of all files, s; all must be good."""
    examiner = inspection.Examiner()
    splits = {"train": "train", "validation": "test"}
    items = inspection.open_items(f"folder:{folder}", splits, examiner)
    tally = inspection.Tally(num_workers)
    wall, cpu = time.perf_counter(), time.process_time()
    num_bad = sum(found.is_bad for found in tally.examine(items))
    if num_bad:
        raise ValueError(f"{num_bad} files were bad.")
    return time.perf_counter() - wall, time.process_time() - cpu


def main(argv):
    """Runs the program."""
    if argv[1:]:
        raise app.UsageError(f"Not a flag: {argv[1:]}.")
    counts = [1]
    while counts[-1] < os.cpu_count():
        counts.append(min(2 * counts[-1], os.cpu_count()))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_files(folder)
        sizes = [path.stat().st_size for path in folder.iterdir()]
        rounds = [
            [measure(folder, num_workers) for num_workers in counts]
            for _ in range(_ROUNDS.value + 1)
        ]
    print(
        f"{_FILES.value:,} JPEGs of {_SIZE[0]} x {_SIZE[1]} px, "
        f"{np.mean(sizes) / 1000:.0f} kB each, on {os.cpu_count()} cores; "
        f"median (and range) of {_ROUNDS.value} rounds.\n\n"
        "| workers | files a minute | a minute of CPU time |\n"
        "|---|---|---|"
    )
    # The first round warms up.
    rates = 60 * _FILES.value / np.array(rounds[1:])  # [rounds, counts, 2]
    for num_workers, (wall, cpu) in zip(
        counts, rates.transpose(1, 2, 0), strict=True
    ):
        print(f"| {num_workers} | {_spread(wall)} | {_spread(cpu)} |")


def _spread(rates):
    return f"{np.median(rates):,.0f} ({rates.min():,.0f} to {rates.max():,.0f})"


if __name__ == "__main__":
    app.run(main)
