"""Measures what gradient accumulation costs in time, and saves in memory.

    python benchmarks/accumulation.py --micro_batch_size=8

Takes steps of the model of vits.flags (or of another --flagfile) in turn: one
of a single micro-batch, then for each number of --steps one of as many
micro-batches, and one of the same images at once. Prints the speed per image,
as a ratio to the single micro-batch of the same round, and the memory that a
step takes beyond weights and slots. Minutes on two cores; on Linux, whose /proc
tells the memory.
"""

import pathlib
import random
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "experiments")]

import command_line  # noqa: E402
import compute_flags  # noqa: E402
import data_flags  # noqa: E402
import model_flags  # noqa: E402
import optimization_flags  # noqa: E402
import run_flags  # noqa: E402, F401  (flagfiles set its flags)
import tensorflow as tf  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

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
    """Returns {(images, accumulation steps): function that takes a step}."""
    model = model_flags.create_simmim(data_flags.image_size(), 3, seed=0)
    schedule = optimization_flags.create_schedule(_NUM_IMAGES)
    model.compile(
        optimization_flags.create_optimizer(model, schedule),
        jit_compile=compute_flags.JIT_COMPILE.value,
    )
    micro_batch = _MICRO_BATCH_SIZE.value
    counts = [int(value) for value in _STEPS.value]
    kinds = [(micro_batch, 1)]
    for count in counts:
        kinds += [(count * micro_batch, count), (count * micro_batch, 1)]

    def create_step(images, accumulation_steps):
        height, width = data_flags.image_size()
        batch = tf.random.stateless_normal([images, height, width, 3], [0, 0])
        model.accumulation_steps = accumulation_steps
        step = tf.function(lambda: model.train_step(batch)["loss"])
        step()  # traces, with this number
        return step

    return {kind: create_step(*kind) for kind in kinds}


def timed(step):
    """Returns seconds of one step, and bytes of memory that it took."""
    # Makes the system count the peak from here on.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    began = time.perf_counter()
    step().numpy()
    return time.perf_counter() - began, _memory("VmHWM") - before


def _memory(name):
    text = pathlib.Path("/proc/self/status").read_text()
    (line,) = (x for x in text.splitlines() if x.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    compute_flags.set_precision()
    steps = create_steps()
    seconds = {kind: [] for kind in steps}
    memory = {kind: [] for kind in steps}
    shuffler = random.Random(0)
    for _ in range(_NUM_ROUNDS.value):
        for kind in shuffler.sample(list(steps), len(steps)):
            spent, extra = timed(steps[kind])
            seconds[kind].append(spent / kind[0])
            memory[kind].append(extra)
    report(seconds, memory)


def report(seconds, memory):
    """Prints the table."""
    plain, *_ = seconds
    print(
        f"\n{_NUM_ROUNDS.value} rounds; medians, and the range of the ratio."
        "\n\n| images a step | accumulation steps | ms an image | speed "
        "| MB a step |\n|---|---|---|---|---|"
    )
    for kind, values in seconds.items():
        ratios = [a / b for a, b in zip(seconds[plain], values, strict=True)]
        print(
            f"| {kind[0]} | {kind[1]} | {1e3 * statistics.median(values):.1f} "
            f"| {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) "
            f"| {statistics.median(memory[kind]) / 1e6:,.0f} |"
        )


if __name__ == "__main__":
    if not any("flagfile" in argument for argument in sys.argv):
        sys.argv.insert(1, "--flagfile=vits.flags")
    app.run(main, argv=command_line.resolve(sys.argv))
