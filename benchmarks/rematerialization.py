"""Measures what `rematerialize` saves in memory, and what it costs in time.

    python benchmarks/rematerialization.py --backbone=vit_base --image_size=224

Trains the backbone in two processes, with and without, which take steps in
turn. Memory of activations is what the peak of a process (VmHWM) grows by from
a small batch to --batch_size, per image: weights, gradients and slots, which
do not grow, are not in it. Minutes on two cores; on Linux, whose /proc tells
the memory.
"""

import statistics
import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import optimization

_BACKBONE = flags.DEFINE_enum(
    "backbone", "vit_base", sorted(backbones.PRESETS), "Network to train."
)
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 224, "Side, px.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 8, "Images of a step.", lower_bound=1
)
_NUM_ROUNDS = flags.DEFINE_integer(
    "num_rounds", 5, "Timed steps of each process.", lower_bound=1
)
_JIT_COMPILE = flags.DEFINE_bool("jit_compile", False, "Compile with XLA.")
_CHILD = flags.DEFINE_enum(
    "child", None, ["kept", "rematerialized"], "Set by the program itself."
)
_SMALL_BATCH = 1


class Child:
    """A process that trains, and takes a step when it is told to."""

    def __init__(self, kind, batch_size):
        arguments = [
            f"--{flag.name}={flag.value}"
            for flag in (_BACKBONE, _IMAGE_SIZE, _JIT_COMPILE)
        ]
        self._process = subprocess.Popen(
            [sys.executable, __file__, f"--child={kind}"]
            + [*arguments, f"--batch_size={batch_size}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def step(self):
        """Returns (seconds of a step, peak memory so far in bytes)."""
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("A process has ended; see its message above.")
        seconds, peak = line.split()
        return float(seconds), int(peak)

    def end(self):
        self._process.stdin.close()
        self._process.wait()


def main(argv):
    """Runs the program."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    if _CHILD.value:
        return take_steps()
    if _BATCH_SIZE.value <= _SMALL_BATCH:
        raise app.UsageError(f"--batch_size must exceed {_SMALL_BATCH}.")
    kinds = ("kept", "rematerialized")
    small = {}
    for kind in kinds:
        child = Child(kind, _SMALL_BATCH)
        small[kind] = [child.step() for _ in range(2)][-1][1]
        child.end()
    children = {kind: Child(kind, _BATCH_SIZE.value) for kind in kinds}
    for child in children.values():
        child.step()  # traces
    rounds = [
        {kind: child.step() for kind, child in children.items()}
        for _ in range(_NUM_ROUNDS.value)
    ]
    for child in children.values():
        child.end()

    print(
        f"{_BACKBONE.value}, {_IMAGE_SIZE.value} px, batch "
        f"{_BATCH_SIZE.value}, jit_compile={_JIT_COMPILE.value}, medians of "
        f"{len(rounds)} rounds"
    )
    print(f"{'':16}{'MB/image':>10}{'of it':>8}{'s/step':>9}{'speed':>8}")
    num_images = _BATCH_SIZE.value - _SMALL_BATCH
    kept = None
    for kind in kinds:
        peak = rounds[-1][kind][1]
        per_image = (peak - small[kind]) / num_images
        kept = kept or per_image
        seconds = statistics.median(r[kind][0] for r in rounds)
        speed = statistics.median(r["kept"][0] / r[kind][0] for r in rounds)
        print(
            f"{kind:16}{per_image / 1e6:10.0f}{per_image / kept:8.2f}"
            f"{seconds:9.2f}{speed:8.2f}"
        )


def take_steps():
    """Takes a step for every line of the standard input."""
    size, batch = _IMAGE_SIZE.value, _BATCH_SIZE.value
    backbone = backbones.create(
        _BACKBONE.value, size, rematerialize=_CHILD.value == "rematerialized"
    )
    model = models.SimMIM(backbone)
    model.compile(
        optimization.create_optimizer("adamw", model, 1e-4),
        jit_compile=_JIT_COMPILE.value,
    )
    rng = np.random.default_rng(0)
    images = rng.normal(size=[batch, size, size, 3]).astype(np.float32)
    images = tf.constant(images)
    for _ in sys.stdin:
        start = tf.timestamp()
        model.train_on_batch(images)
        print(float(tf.timestamp() - start), peak_memory(), flush=True)


def peak_memory():
    """Returns the most memory that this process has had, in bytes."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    app.run(main)
