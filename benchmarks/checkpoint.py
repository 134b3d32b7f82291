"""Measures what saving checkpoints costs a run, part by part.

    python benchmarks/checkpoint.py --directory=/where/the/runs/go

Builds the model and the optimizer of vitb.flags (or of another --flagfile),
takes steps and saves in turn, and prints what a save costs: time of each part
of it, memory, and the share of the training time. The share is for a step of
--step_batch_size images on this machine, a small batch unless told otherwise:
the recipe's own takes longer, which makes the share smaller. So it also prints
how short a step would have to be for saving to cost more than 3.5 %.
About a minute on two cores; on Linux, whose /proc tells the memory.
"""

import contextlib
import functools
import pathlib
import statistics
import sys
import tempfile
import time
from unittest import mock

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import tensorflow as tf  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

from tf_simmim import atomic_file  # noqa: E402
from tf_simmim import training  # noqa: E402
from tf_simmim.programs import command_line  # noqa: E402
from tf_simmim.programs import pretrain  # noqa: E402, F401  (flagfiles set its flags)
from tf_simmim.programs.flags import input_flags  # noqa: E402
from tf_simmim.programs.flags import optimization_flags  # noqa: E402
from tf_simmim.programs.flags import prediction_flags  # noqa: E402
from tf_simmim.programs.flags import run_flags  # noqa: E402
from tf_simmim.training import checkpoint_folders  # noqa: E402
from tf_simmim.training import manifests  # noqa: E402
from tf_simmim.training import read_back  # noqa: E402

_STEP_BATCH_SIZE = flags.DEFINE_integer(
    "step_batch_size", 2, "Images of a timed step.", lower_bound=1
)
_NUM_ROUNDS = flags.DEFINE_integer(
    "num_rounds", 7, "Timed steps and saves each.", lower_bound=2
)
_DIRECTORY = flags.DEFINE_string(
    "directory", None, "Folder on the disk to measure. Default: temporary."
)
# Of the training time, that saving may cost.
_LIMIT = 0.035
# Images of ImageNet-1k: the schedule of vitb.flags counts in its epochs.
_NUM_IMAGES = 1281167
_PARTS = {
    "write": (tf.train.Checkpoint, "write"),
    "flush to the disk": (atomic_file, "sync"),
    "read back, finite": (read_back, "require_finite"),
    "hash": (manifests, "describe"),
    "manifest": (manifests, "write"),
    "remove the oldest": (checkpoint_folders, "remove_old"),
}


class Stopwatch:
    """Adds up the seconds spent in functions, without those in each other."""

    def __init__(self):
        self.seconds = dict.fromkeys(_PARTS, 0.0)
        self._in_others = 0.0

    @contextlib.contextmanager
    def watching(self):
        with contextlib.ExitStack() as stack:
            for part, (owner, name) in _PARTS.items():
                watched = self._watch(part, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, watched))
            yield

    def _watch(self, part, function):
        @functools.wraps(function)
        def watched(*args, **kwargs):
            outer, self._in_others = self._in_others, 0.0
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.perf_counter() - began
                self.seconds[part] += spent - self._in_others
                self._in_others = outer + spent

        return watched


def create_model():
    """Returns the compiled model of the flags."""
    model = prediction_flags.create_simmim(input_flags.image_size(), 3, seed=0)
    schedule = optimization_flags.create_schedule(_NUM_IMAGES)
    model.compile(optimization_flags.create_optimizer(model, schedule))
    model.optimizer.build(model.trainable_variables)
    return model


def timed_save(store, checkpoint, step):
    """Returns {part: seconds} of one save, and bytes of memory it took."""
    stopwatch = Stopwatch()
    # Makes the system count the peak from here on.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    began = time.perf_counter()
    with stopwatch.watching():
        store.save(checkpoint, step, {})
    seconds = {**stopwatch.seconds, "in all": time.perf_counter() - began}
    return seconds, _memory("VmHWM") - before


def _memory(name):
    text = pathlib.Path("/proc/self/status").read_text()
    (line,) = (x for x in text.splitlines() if x.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def main(argv):
    """Runs the program."""
    command_line.refuse_leftovers(argv)
    model = create_model()
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    height, width = input_flags.image_size()
    images = tf.random.stateless_normal(
        [_STEP_BATCH_SIZE.value, height, width, 3], seed=[0, 0]
    )
    steps, saves, memory = [], [], []
    with tempfile.TemporaryDirectory(dir=_DIRECTORY.value) as folder:
        store = training.CheckpointStore(folder, keep=1)
        # The first ones trace functions, and have nothing to remove.
        for n in range(_NUM_ROUNDS.value + 1):
            began = time.perf_counter()
            model.train_on_batch(images)
            steps.append(time.perf_counter() - began)
            seconds, extra = timed_save(store, checkpoint, n)
            saves.append(seconds)
            memory.append(extra)
        (manifest,) = pathlib.Path(folder).glob("step-*/manifest.json")
        num_bytes = sum(f.stat().st_size for f in manifest.parent.iterdir())
    report(steps[1:], saves[1:], memory[1:], num_bytes)


def report(steps, saves, memory, num_bytes):
    """Prints the table and what follows from it."""
    megabytes = num_bytes / 1e6
    print(f"\nA checkpoint has {megabytes:,.0f} MB. {len(saves)} saves:\n")
    print("| part | seconds (least to most) | MB/s |\n|---|---|---|")
    for part in saves[0]:
        seconds = [save[part] for save in saves]
        rate = megabytes / max(statistics.median(seconds), 1e-9)
        moves_all = part not in ("manifest", "remove the oldest")
        print(f"| {part} | {_spread(seconds)} | {f'{rate:,.0f}' * moves_all} |")
    save = statistics.median(save["in all"] for save in saves)
    step = statistics.median(steps)
    every = run_flags.CHECKPOINT_EVERY_STEPS.value
    print(
        f"\nMemory beyond that of training: {max(memory) / 1e6:,.0f} MB.\n"
        f"A step of {_STEP_BATCH_SIZE.value} images here: {_spread(steps)} s. "
        f"Saving every {every} of them\ncosts {save / (every * step):.3%} of "
        f"the training time; it would cost {_LIMIT:.1%}\nif a step took "
        f"{save / (_LIMIT * every):.3f} s."
    )


def _spread(seconds):
    return (
        f"{statistics.median(seconds):.2f} "
        f"({min(seconds):.2f} to {max(seconds):.2f})"
    )


if __name__ == "__main__":
    if not any("flagfile" in argument for argument in sys.argv):
        sys.argv.insert(1, "--flagfile=vitb.flags")
    app.run(main, argv=command_line.resolve(sys.argv))
