"""Kills pretraining at chosen moments and compares what it leaves behind.

Imported, this is the harness. Run as a program, it is what the harness
starts: the real `experiments/pretrain.py` in a process that notes the images
of every step and the operations on files in the run directory, and may kill
itself at one of them.
"""

import collections
import contextlib
import functools
import json
import os
import pathlib
import re
import runpy
import signal
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).parents[2]
TOTAL_STEPS = 26
BATCH_SIZE = 128
NUM_IMAGES = 1437  # the digits to train on: an epoch is 11.2 steps
CHECKPOINT_EVERY_STEPS = 2

_MOMENTS = ("before", "during", "after")
# Every commit of this set-up writes for a few milliseconds.
_LONGEST_DELAY = 0.004


class Run:
    """One run, over as many processes as it takes.

    Args:
        folder: pathlib.Path. For the run directory and the notes.
        reference: Run or None. One that was never interrupted and kept every
            checkpoint, to compare with.
        keep_checkpoints: int.
    """

    def __init__(self, folder, reference=None, keep_checkpoints=2):
        self.workdir = folder / "run"
        self.reference = reference
        self.keep_checkpoints = keep_checkpoints
        self.is_complete = False
        self._steps_file = folder / "steps.txt"
        self._operations_file = folder / "operations.txt"
        self._log_file = folder / "stderr.txt"
        self._newest = 0
        folder.mkdir(parents=True)

    def start(self, kill_at="", delay=None):
        """Starts the program, and waits until it ends or kills it.

        Args:
            kill_at: str. Where the program kills itself: a moment and an
                operation of `operations`, then the number of times that the
                operation has to come up, for example
                `after fsync checkpoints 2`.
            delay: float or None. Seconds after which it is killed.

        Returns:
            list of str: what is wrong now, empty for nothing.
        """
        with open(self._log_file, "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, __file__),
                    *(str(self._steps_file), str(self._operations_file)),
                    *(str(self.workdir), kill_at, *self._flags()),
                ],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            code = process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self.is_complete = code == 0
        if code not in (0, -signal.SIGKILL):
            text = self._log_file.read_text(encoding="utf-8")
            return [f"the program ended with code {code}: {text[-2000:]}"]
        return self.differences()

    def operations(self):
        """Returns the kinds of operations on files so far, in order."""
        lines = self._operations_file.read_text(encoding="utf-8").splitlines()
        return list(dict.fromkeys(lines))

    def differences(self):
        """Returns what is not as in the run that was never interrupted."""
        found = list(_checkpoint_differences(self, self.reference or self))
        newest = max(_checkpoints(self.workdir), default=0)
        if newest < self._newest:
            found.append(f"checkpoint {self._newest} is gone")
        self._newest = newest
        with contextlib.suppress(FileNotFoundError):
            found += _sample_differences(self.trained_indices())
        if self.is_complete:
            found += self._final_differences()
        return found

    def trained_indices(self):
        """Returns the indices of every step's images, in the order of steps.

        A process that goes on from a checkpoint replaces the steps that the
        one before it had taken since.
        """
        taken = []
        for line in self._steps_file.read_text(encoding="utf-8").splitlines():
            step, *indices = map(int, re.findall("[0-9]+", line))
            if step > len(taken):
                raise AssertionError(
                    f"steps {len(taken)}..{step} were left out"
                )
            if taken[step : step + 1] not in ([], [indices]):
                raise AssertionError(f"step {step} had other images before")
            taken[step:] = [indices]
        return taken

    def metrics(self):
        """Returns the rows of metrics.jsonl without what a clock measured."""
        text = (self.workdir / "metrics.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        for row in rows:
            del row["seconds"], row["images_per_second"]
        return rows

    def _final_differences(self):
        if self._newest != TOTAL_STEPS:
            yield f"the last checkpoint is of step {self._newest}"
        if len(self.trained_indices()) != TOTAL_STEPS:
            yield f"{len(self.trained_indices())} steps were taken"
        names = os.listdir(self.workdir / "checkpoints")
        yield from (f"left over: {n}" for n in names if n[:5] != "step-")
        if self.reference and self.metrics() != self.reference.metrics():
            yield "metrics.jsonl is different"

    def _flags(self):
        from tests.integration import programs

        return (
            *programs.TINY,
            f"--workdir={self.workdir}",
            f"--global_batch_size={BATCH_SIZE}",
            f"--train_steps={TOTAL_STEPS}",
            "--train_epochs=3",
            f"--checkpoint_every_steps={CHECKPOINT_EVERY_STEPS}",
            f"--keep_checkpoints={self.keep_checkpoints}",
            "--picture_every_steps=100",
        )


def _checkpoints(workdir):
    """Returns {step: folder} of what is committed."""
    folders = (workdir / "checkpoints").glob("step-*")
    return {int(folder.name[5:]): folder for folder in folders}


def _checkpoint_differences(run, reference):
    """Compares every committed checkpoint, bit for bit."""
    wanted = _checkpoints(reference.workdir)
    for step, folder in sorted(_checkpoints(run.workdir).items()):
        if step not in wanted:
            yield f"{folder.name} is of a step without a checkpoint"
        elif _tensors(folder) != _tensors(wanted[step]):
            yield f"{folder.name} holds other values"
    for folder in (run.workdir / "checkpoints").glob("corrupt-*"):
        yield f"{folder.name}: a checkpoint was taken for damaged"


def _tensors(folder):
    """Returns {name: (dtype, shape, bytes)} of a checkpoint."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / "state"))
    return {
        name: (str(dtype), reader.get_tensor(name).tobytes())
        for name, dtype in reader.get_variable_to_dtype_map().items()
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }


def _sample_differences(taken):
    """Looks whether each image comes once in every epoch."""
    stream = [index for indices in taken for index in indices]
    for first in range(0, len(stream), NUM_IMAGES):
        epoch = stream[first : first + NUM_IMAGES]
        counts = collections.Counter(epoch)
        if max(counts.values()) > 1 or not counts.keys() <= set(
            range(NUM_IMAGES)
        ):
            yield f"the epoch at {first} has an image twice, or a foreign one"


class _Saboteur:
    """Notes operations on the files of a run, and kills at one of them.

    Args:
        workdir: pathlib.Path.
        operations_file: path to append them to, one a line.
        kill_at: str. See `Run.start`.
    """

    def __init__(self, workdir, operations_file, kill_at):
        self._workdir = str(workdir)
        self._operations_file = operations_file
        self._moment, _, rest = kill_at.partition(" ")
        self._operation, _, times = rest.rpartition(" ")
        self._times_left = int(times or 0)

    def watch(self, owner, name, path_of):
        """Puts a note-taking function in the place of `owner.name`.

        Args:
            owner: module or class.
            name: str.
            path_of: callable, arguments of the function -> path.
        """
        function = getattr(owner, name)

        @functools.wraps(function)
        def watched(*args, **kwargs):
            path = str(path_of(*args, **kwargs))
            if not path.startswith(self._workdir):
                return function(*args, **kwargs)
            path = os.path.relpath(path, self._workdir)
            # The numbers of steps and processes.
            operation = f"{name} {re.sub('[0-9]{3,}', 'N', path)}"
            with open(self._operations_file, "a", encoding="utf-8") as file:
                file.write(operation + "\n")
            is_due = self._is_due(operation)
            if is_due and self._moment == "before":
                _die()
            if is_due and self._moment == "during":
                threading.Timer(
                    _LONGEST_DELAY * os.urandom(1)[0] / 255, _die
                ).start()
            result = function(*args, **kwargs)
            if is_due and self._moment == "after":
                _die()
            return result

        setattr(owner, name, watched)

    def _is_due(self, operation):
        self._times_left -= operation == self._operation
        return operation == self._operation and self._times_left == 0


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _path_of_descriptor(descriptor):
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _path_of_removed(path, *, dir_fd=None):
    folder = "" if dir_fd is None else _path_of_descriptor(dir_fd)
    return os.path.join(folder, path)


def _main(steps_file, operations_file, workdir, kill_at, *arguments):
    program = ROOT / "experiments" / "pretrain.py"
    sys.path.insert(0, str(program.parent))

    import tf_simmim  # noqa: I001  (before TensorFlow itself)
    import tensorflow as tf

    original = tf_simmim.models.SimMIM.train_step

    def train_step(model, data):
        tf.print(
            model.optimizer.iterations,
            data["index"],
            summarize=-1,
            output_stream=f"file://{steps_file}",
        )
        return original(model, data)

    tf_simmim.models.SimMIM.train_step = train_step

    saboteur = _Saboteur(workdir, operations_file, kill_at)
    saboteur.watch(tf.train.Checkpoint, "write", lambda _, path: path)
    saboteur.watch(tf.train, "load_checkpoint", lambda path: path)
    saboteur.watch(os, "fsync", _path_of_descriptor)
    saboteur.watch(os, "rename", lambda source, _: source)
    saboteur.watch(os, "replace", lambda source, _: source)
    saboteur.watch(os, "unlink", _path_of_removed)
    saboteur.watch(os, "rmdir", _path_of_removed)

    sys.argv = [str(program), *arguments]
    runpy.run_path(str(program), run_name="__main__")


if __name__ == "__main__":
    _main(*sys.argv[1:])
