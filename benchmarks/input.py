"""How many training images a core reads, from a folder and prepared.

    python benchmarks/input.py

writes JPEGs of ordinary size, crops of the photographs that scikit-learn and
scikit-image ship, prepares them with `tf_simmim.data.preparation` (short side
256 px, JPEG quality 90), and reads both as training does: decode, random crop,
resize, flip, normalise, batch. The two take turns. It prints one table, of CPU
time (all threads), which says more than the clock on a busy machine, and the
ratio within each round. The files are in the page cache: a disk, which has
fewer bytes to read of the prepared ones, comes on top.
"""

import pathlib
import statistics
import sys
import tempfile
import time

from absl import app
from absl import flags

_HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(_HERE.parent), str(_HERE)]

import check_data  # noqa: E402  (its photographs, and --files, --rounds)

from tf_simmim import data  # noqa: E402
from tf_simmim.data import preparation  # noqa: E402

_SIZES = flags.DEFINE_multi_integer(
    "size", [192, 224], "Size that training resizes to, px."
)
_SHORT_SIDE = 256  # px
# px: an ordinary ImageNet photograph, and one of a small camera.
_FILE_SIZES = ((500, 375), (1600, 1200))
_BATCH_SIZE = 20
_WARM_UP = 5  # batches, until as many are read ahead as will be at the end


def stream_of(source, size):
    """Returns a source's stream, as pretraining augments it."""
    return data.ImageStream(
        source,
        data.PretrainingAugmentation(size),
        data.Normalization(source.mean, source.std),
    )


def measure(stream, num_images):
    """Returns the CPU time of an image, s."""
    batches = iter(stream.batches(_BATCH_SIZE))
    for _ in range(_WARM_UP):
        next(batches)
    began = time.process_time()
    count = -(-num_images // _BATCH_SIZE)
    for _ in range(count):
        next(batches)
    return (time.process_time() - began) / (count * _BATCH_SIZE)


def megabytes(folder):
    """Returns what a folder's files hold, in MB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files) / 1e6


def rate(seconds):
    """Returns median and range of images/s, for people."""
    rates = [1 / value for value in seconds]
    low, high = min(rates), max(rates)
    return f"{statistics.median(rates):,.0f} ({low:,.0f} to {high:,.0f})"


def compare(num_images, size):
    """Prints a row for each size of training, for files of one size."""
    with tempfile.TemporaryDirectory() as name:
        before, after = pathlib.Path(name, "jpeg"), pathlib.Path(name, "out")
        before.mkdir()
        check_data.write_files(before, size)
        folder = data.FolderSource(str(before), "all")
        preparation.Preparation({"all": folder}, after, _SHORT_SIDE).run()
        sources = folder, data.TFRecordSource(f"{after}/*.tfrecord", "all")
        kilobytes = [
            f"{1000 * megabytes(path) / num_images:.0f} kB"
            for path in (before, after)
        ]
        for trained_at in _SIZES.value:
            streams = [stream_of(source, trained_at) for source in sources]
            rounds = [
                [measure(stream, 2 * num_images) for stream in streams]
                for _ in range(flags.FLAGS.rounds)
            ]
            ratios = [old / new for old, new in rounds]
            columns = [rate(seconds) for seconds in zip(*rounds, strict=True)]
            print(
                f"| {size[0]} x {size[1]}, {' to '.join(kilobytes)} | "
                f"{trained_at} px | {' | '.join(columns)} | "
                f"{statistics.median(ratios):.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f}) |",
                flush=True,
            )


def main(argv):
    """Runs the program."""
    if argv[1:]:
        raise app.UsageError(f"Not a flag: {argv[1:]}.")
    print(
        "| files | trained at | JPEG files, images/s | prepared, images/s | "
        "ratio |\n|---|---|---|---|---|"
    )
    for size in _FILE_SIZES:
        compare(flags.FLAGS.files, size)


if __name__ == "__main__":
    flags.FLAGS.set_default("files", 200)
    app.run(main)
