"""Measures what gradient accumulation costs in time, and saves in memory.

    python benchmarks/accumulation.py --micro_batch_size=8

Takes steps of the model of vits.flags (or of another --flagfile) in turn: one
of a single micro-batch, for each number of --steps one of as many
micro-batches, and one of as many images at once. Prints the speed per image,
as a ratio to the single micro-batch of the same round, by the clock and by
processor time (which other programs disturb less), and the peak of memory up to
its first step, beyond weights and slots; steps begin in the table's order.
Minutes on two cores; on Linux, whose /proc tells the memory.
"""

import pathlib
import random
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import tensorflow as tf  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

from tf_simmim.programs import command_line  # noqa: E402
from tf_simmim.programs import pretrain  # noqa: E402, F401  (flagfiles set its flags)
from tf_simmim.programs.flags import compute_flags  # noqa: E402
from tf_simmim.programs.flags import input_flags  # noqa: E402
from tf_simmim.programs.flags import optimization_flags  # noqa: E402
from tf_simmim.programs.flags import prediction_flags  # noqa: E402

_MICRO_BATCH_SIZE = flags.DEFINE_integer(
    "micro_batch_size", 8, "Images of a micro-batch.", lower_bound=1
)
_STEPS = flags.DEFINE_list("steps", ["2", "4"], "Accumulation steps to try.")
_NUM_ROUNDS = flags.DEFINE_integer(
    "num_rounds", 7, "Timed steps of each kind.", lower_bound=2
)
# Images of ImageNet-1k: the schedules of the flagfiles count in its epochs.
_NUM_IMAGES = 1281167


def create_steps():
    """Returns {(images, accumulation steps): step}, {same: peak memory}."""
    model = prediction_flags.create_simmim(input_flags.image_size(), 3, seed=0)
    schedule = optimization_flags.create_schedule(_NUM_IMAGES)
    model.compile(
        optimization_flags.create_optimizer(model, schedule),
        jit_compile=compute_flags.JIT_COMPILE.value,
    )
    micro_batch = _MICRO_BATCH_SIZE.value
    counts = [int(value) for value in _STEPS.value]
    kinds = [
        (micro_batch, 1),
        *((count * micro_batch, count) for count in counts),
        *((count * micro_batch, 1) for count in counts),
    ]
    memory = {}
    before = _memory("VmRSS")

    def create_step(images, accumulation_steps):
        height, width = input_flags.image_size()
        batch = tf.random.stateless_normal([images, height, width, 3], [0, 0])
        model.accumulation_steps = accumulation_steps
        step = tf.function(lambda: model.train_step(batch)["loss"])
        step()  # traces, with this number
        # TensorFlow keeps what it has had: a peak is of all steps so far.
        memory[images, accumulation_steps] = _memory("VmHWM") - before
        return step

    return {kind: create_step(*kind) for kind in kinds}, memory


def timed(step):
    """Returns seconds and processor seconds of one step."""
    began = time.perf_counter(), time.process_time()
    step().numpy()
    ended = time.perf_counter(), time.process_time()
    wall, processor = (b - a for a, b in zip(began, ended, strict=True))
    return wall, processor


def _memory(name):
    text = pathlib.Path("/proc/self/status").read_text()
    (line,) = (x for x in text.splitlines() if x.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    compute_flags.set_precision()
    steps, memory = create_steps()
    measured = {kind: [] for kind in steps}
    shuffler = random.Random(0)
    for _ in range(_NUM_ROUNDS.value):
        for kind in shuffler.sample(list(steps), len(steps)):
            measured[kind].append(timed(steps[kind]))
    report(measured, memory)


def report(measured, memory):
    """Prints the table."""
    plain, *_ = measured
    print(
        f"\n{_NUM_ROUNDS.value} rounds; medians, and the ranges of ratios.\n\n"
        "| images a step | accumulation steps | ms an image | speed "
        "| speed by processor time | peak MB so far |\n"
        "|---|---|---|---|---|---|"
    )
    for kind, rows in measured.items():
        images = kind[0] / plain[0]
        speeds = [
            [images * first[clock] / row[clock] for clock in range(2)]
            for first, row in zip(measured[plain], rows, strict=True)
        ]
        wall, processor = zip(*speeds, strict=True)
        seconds = statistics.median(row[0] for row in rows)
        print(
            f"| {kind[0]} | {kind[1]} | {1e3 * seconds / kind[0]:.1f} "
            f"| {_spread(wall)} | {_spread(processor)} "
            f"| {memory[kind] / 1e6:,.0f} |"
        )


def _spread(ratios):
    return (
        f"{statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    if not any("flagfile" in argument for argument in sys.argv):
        sys.argv.insert(1, "--flagfile=vits.flags")
    app.run(main, argv=command_line.resolve(sys.argv))
