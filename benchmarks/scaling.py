"""What an image costs, by image size, batch, depth and number of workers.

    python benchmarks/scaling.py

Of --preset (with --depth blocks where they do not vary), in float32, without
XLA. Each table's rows are processes that take training steps in turn, in an
order drawn for each round; speeds are images a second over those of the first
row, round by round. Beside them stands what the floating-point operations of an
image let one expect. The sgemm peak is that of the same rounds, on all cores.

Workers are processes of their own (MultiWorkerMirroredStrategy over gRPC), each
on one core and with --batch_size images a step; so two of them do twice the
work of one. On Linux, whose taskset gives a process its core.
"""

import json
import os
import pathlib
import socket
import statistics

import step_worker
import turns
from absl import app
from absl import flags
from spread import spread

from tf_simmim import backbones
from tf_simmim.training import step_cost

_TABLES = ("image_size", "batch_size", "depth", "workers")
_OVER = flags.DEFINE_list(
    "over", list(_TABLES), f"Tables to print: {', '.join(_TABLES)}."
)
_PRESET = flags.DEFINE_enum(
    "preset",
    "vit_small",
    [name for name in backbones.PRESETS if name.startswith("vit")],
    "ViT to train.",
)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 224, "Side, px, where it does not vary.", lower_bound=32
)
_IMAGE_SIZES = flags.DEFINE_list(
    "image_sizes", ["224", "192", "160", "128", "96"], "Sides, px."
)
_BATCH_SIZES = flags.DEFINE_list(
    "batch_sizes", ["8", "1", "2", "4", "16"], "Images of a step."
)
_DEPTHS = flags.DEFINE_list("depths", ["12", "3", "6", "24"], "Blocks.")
_NUM_ROUNDS = flags.DEFINE_integer(
    "num_rounds", 15, "Steps of each row that count.", lower_bound=1
)
FLAGS = flags.FLAGS
flags.register_validator(
    _OVER,
    lambda names: names and set(names) <= set(_TABLES),
    f"must be some of {', '.join(_TABLES)}",
)
_MAX_WORKERS = 2
_STEP_WORKER = pathlib.Path(__file__).with_name("step_worker.py")
_SGEMM = pathlib.Path(__file__).with_name("sgemm.py")


class Team:
    """Processes that take one step together, each pinned to one core."""

    def __init__(self, num_workers, arguments):
        addresses = [f"localhost:{_free_port()}" for _ in range(num_workers)]
        self._workers = []
        for index in range(num_workers):
            environment = dict(os.environ)
            if num_workers > 1:
                task = {"type": "worker", "index": index}
                config = {"cluster": {"worker": addresses}, "task": task}
                environment["TF_CONFIG"] = json.dumps(config)
            self._workers.append(
                turns.Worker(
                    _STEP_WORKER,
                    *arguments,
                    wrapper=["taskset", "--cpu-list", str(index)],
                    environment=environment,
                )
            )

    def work(self):
        """Returns the answer of the one that took longest."""
        for worker in self._workers:
            worker.ask()
        answers = [worker.answer() for worker in self._workers]
        return max(answers, key=lambda answer: answer["seconds"])

    def end(self):
        for worker in self._workers:
            worker.end()


def main(argv):
    """Runs the program."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    for name in _OVER.value:
        rows = rows_over(name)
        workers = {row: create_worker(**rows[row]) for row in rows}
        workers["sgemm"] = turns.Worker(_SGEMM, "--worker")
        rounds = turns.take_turns(workers, _NUM_ROUNDS.value)
        for worker in workers.values():
            worker.end()
        report(name, {row: cost(**rows[row]) for row in rows}, rounds)


def rows_over(name):
    """Returns {label: what differs in this row} of a table."""
    if name == "image_size":
        return {f"{n} px": {"side": int(n)} for n in _IMAGE_SIZES.value}
    if name == "batch_size":
        return {
            f"batch {n}": {"batch_size": int(n)} for n in _BATCH_SIZES.value
        }
    if name == "depth":
        return {f"{n} blocks": {"depth": int(n)} for n in _DEPTHS.value}
    counts = range(1, 1 + min(_MAX_WORKERS, os.cpu_count()))
    return {f"workers: {n}": {"num_workers": n} for n in counts}


def create_worker(num_workers=None, batch_size=None, side=None, depth=None):
    """Returns a process on all cores, or a team of some on a core each."""
    arguments = [
        f"--model={_PRESET.value}@{side or _IMAGE_SIZE.value}",
        f"--batch_size={batch_size or FLAGS.batch_size}",
    ]
    if depth := depth or FLAGS.depth:
        arguments.append(f"--depth={depth}")
    if num_workers:
        return Team(num_workers, arguments)
    return turns.Worker(_STEP_WORKER, *arguments)


def cost(num_workers=1, batch_size=None, side=None, depth=None):
    """Returns (images of a step, FLOPs of an image)."""
    name = f"{_PRESET.value}@{side or _IMAGE_SIZE.value}"
    model = step_worker.create_model(name, depth=depth or FLAGS.depth)
    flops = step_cost.step_cost(model).step_flops
    return num_workers * (batch_size or FLAGS.batch_size), flops


def report(name, costs, rounds):
    """Prints a table."""
    first = next(iter(costs))
    peak = statistics.median(r["sgemm"]["flops_per_second"] for r in rounds)
    print(
        f"\n{_PRESET.value} over {name}, {len(rounds)} rounds, "
        f"sgemm {peak / 1e9:.0f} GFLOP/s\n\n"
        "| | GFLOP an image | images/s | speed | by FLOPs |\n"
        "|---|---|---|---|---|"
    )
    for row, (num_images, flops) in costs.items():
        seconds = [r[row]["seconds"] for r in rounds]
        speeds = [
            r[first]["seconds"]
            / r[row]["seconds"]
            * num_images
            / costs[first][0]
            for r in rounds
        ]
        print(
            f"| {row} | {flops / 1e9:.1f} "
            f"| {num_images / statistics.median(seconds):.2f} "
            f"| {spread(speeds)} | {costs[first][1] / flops:.2f} |"
        )


def _free_port():
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]


if __name__ == "__main__":
    app.run(main)
