"""How fast a training step is, and how much memory it takes.

    python benchmarks/train_step.py
    python benchmarks/train_step.py --models=vit_base@224 \
        --variants=graph,rematerialized
    python benchmarks/train_step.py --models=vit_base@224 --depth=2

For each of --models (PRESET@SIDE, px) a table with a row per variant:

    naive: what one would write first: forward pass of all cells to an image,
        loss over all pixels under a full-size mask, Keras' own step.
    graph: `models.SimMIM` as it is; exact savings on.
    xla: the same with `jit_compile`.
    bfloat16: the same with mixed precision.
    rematerialized: the same with blocks computed again for the gradient.

Variants are processes that take steps in turn, in an order drawn for each
round, as does one that measures the sgemm peak. Speeds are ratios to the first
variant, round by round. Utilisation is that of model FLOPs: those of the naive
step (`training.step_cost`; what is left out or done twice does not change
them) times images a second, over the sgemm peak of the same round. Of memory
there are the peak of the process, and what it grew by, per image, from a batch
of one to --batch_size; weights, slots and TensorFlow are not in the latter.

Minutes on two cores, less of a ViT of fewer blocks (--depth); on Linux, whose
/proc tells the memory.
"""

import pathlib
import statistics

import numpy as np
import step_worker
import turns
from absl import app
from absl import flags
from spread import ratios
from spread import spread

from tf_simmim.training import step_cost

_MODELS = flags.DEFINE_list(
    "models", ["vit_small@224", "swin_tiny@192"], "Networks to train."
)
_VARIANTS = flags.DEFINE_list(
    "variants",
    list(step_worker.VARIANTS[:4]),
    f"Ways to train them: {', '.join(step_worker.VARIANTS)}.",
)
_NUM_ROUNDS = flags.DEFINE_integer(
    "num_rounds", 15, "Steps of each variant that count.", lower_bound=1
)
FLAGS = flags.FLAGS
flags.register_validator(
    _VARIANTS,
    lambda names: names and set(names) <= set(step_worker.VARIANTS),
    f"must be some of {', '.join(step_worker.VARIANTS)}",
)
flags.register_validator(
    _MODELS,
    lambda names: all(step_worker.is_model(name) for name in names),
    "must be names like vit_small@224, of a preset and a side in px",
)
flags.register_validator(
    "batch_size", lambda size: size > 1, "must be 2 or more"
)
_HERE = pathlib.Path(__file__).parent


def main(argv):
    """Runs the program."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    for name in _MODELS.value:
        report(name, measure(name))


def measure(name):
    """Returns the rounds of one network."""
    depth = [f"--depth={FLAGS.depth}"] if FLAGS.depth else []
    workers = {
        variant: turns.Worker(
            _HERE / "step_worker.py",
            f"--model={name}",
            f"--variant={variant}",
            f"--batch_size={FLAGS.batch_size}",
            *depth,
        )
        for variant in _VARIANTS.value
    }
    workers["sgemm"] = turns.Worker(_HERE / "sgemm.py", "--worker")
    rounds = turns.take_turns(workers, _NUM_ROUNDS.value)
    for worker in workers.values():
        worker.end()
    return rounds


def report(name, rounds):
    """Prints the table of one network."""
    model = step_worker.create_model(name, depth=FLAGS.depth)
    flops = step_cost.step_cost(model).step_flops
    batch_size = FLAGS.batch_size
    first, *_ = _VARIANTS.value
    peaks = [r["sgemm"]["flops_per_second"] for r in rounds]
    depth = f" of {FLAGS.depth} blocks" if FLAGS.depth else ""
    print(
        f"\n{name}{depth}, batch {batch_size}, "
        f"{flops / 1e9:.1f} GFLOP an image, "
        f"{len(rounds)} rounds, sgemm "
        f"{statistics.median(peaks) / 1e9:.0f} GFLOP/s\n\n"
        "| variant | images/s | speed | speed by processor time "
        "| utilisation | peak MB | MB an image |\n|---|---|---|---|---|---|---|"
    )
    for variant in _VARIANTS.value:
        speeds = [
            spread(ratios(rounds, key, first, variant))
            for key in ("seconds", "processor_seconds")
        ]
        images = [batch_size / r[variant]["seconds"] for r in rounds]
        rates = flops * np.array(images) / peaks
        last = rounds[-1][variant]
        grown = last["peak_bytes"] - last["fixed_bytes"]
        print(
            f"| {variant} | {statistics.median(images):.2f} | {speeds[0]} "
            f"| {speeds[1]} | {spread(rates)} "
            f"| {last['peak_bytes'] / 1e6:,.0f} "
            f"| {grown / (batch_size - 1) / 1e6:.0f} |"
        )


if __name__ == "__main__":
    app.run(main)
