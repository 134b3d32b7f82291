"""Kills pretraining at chosen moments and compares what it leaves behind.

What is started, and may kill itself, is in `saboteur.py`.
"""

import collections
import re
import signal
import subprocess
import sys

from tests.integration import programs
from tests.integration import saboteur
from tests.integration import warm_interpreter

TOTAL_STEPS = 46
NUM_IMAGES = 1437  # the digits to train on: 11.2 steps
FLAGS = (
    *programs.TINY,
    "--depth=1",
    "--global_batch_size=128",
    "--train_epochs=5",
    f"--train_steps={TOTAL_STEPS}",
    "--checkpoint_every_steps=2",
    # At the end, which most starts never see.
    "--validate_every_steps=1000",
    "--picture_every_steps=1000",
)
# Three starts without a kill: what was to be waited for does not happen.
_MAX_STARTS = 3


def train_uninterrupted(workdir):
    """Runs the plain program once, keeping every checkpoint.

    Args:
        workdir: pathlib.Path.
    """
    result = programs.run(
        "pretrain.py",
        *FLAGS,
        "--keep_checkpoints=1000",
        f"--workdir={workdir}",
    )
    if result.returncode:
        raise RuntimeError(result.stderr)


def kill_each(folder, reference, kills):
    """Kills as often as asked, over as many runs as it takes.

    Args:
        folder: pathlib.Path for the runs.
        reference: pathlib.Path, of `train_uninterrupted`.
        kills: iterable of what `Run.start` takes.

    Yields:
        (kill, list of str), what was found after it; and a last one for
        letting the last run finish, with None for the kill.
    """
    runs = (Run(folder / str(n), reference) for n in range(sys.maxsize))
    run = next(runs)
    for kill in kills:
        found = [f"it was not killed in {_MAX_STARTS} starts"]
        for attempt in range(_MAX_STARTS):
            # A machine with less to do than before may finish too early.
            sooner = 0.7**attempt * kill if isinstance(kill, float) else kill
            found_now = run.start(sooner)
            was_killed = not run.is_complete
            if found_now or run.is_complete:
                run = next(runs)
            if found_now or was_killed:
                found = found_now
                break
        yield kill, found
    yield None, run.start()


class Run:
    """One run, over as many processes as it takes.

    Args:
        folder: pathlib.Path, made here. For the run and notes about it.
        reference: pathlib.Path. The same run, never interrupted.
    """

    def __init__(self, folder, reference):
        folder.mkdir(parents=True)
        self.workdir = folder / "run"
        self.reference = reference
        self.is_complete = False
        self._steps_file = folder / "steps.txt"
        self._operations_file = folder / "operations.txt"
        self._log_file = folder / "stderr.txt"
        self._newest = 0

    def start(self, kill=None):
        """Starts the program, and waits until it ends or is killed.

        Args:
            kill: None; float, seconds after which it is killed; or str, where
                it kills itself: `before`, `during` or `after`, one of
                `operations`, and how many times that has to come up, as in
                `after fsync checkpoints 2`.

        Returns:
            list of str: what is wrong now, empty for nothing.
        """
        command = (
            saboteur.__file__,
            *(self._steps_file, self._operations_file, self.workdir),
            kill if isinstance(kill, str) else "",
            *FLAGS,
            "--keep_checkpoints=2",
            f"--workdir={self.workdir}",
        )
        process = warm_interpreter.start(
            command, programs.ROOT, stderr=self._log_file
        )
        try:
            code = process.wait(kill if isinstance(kill, float) else 900)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self.is_complete = code == 0
        if code not in (0, -signal.SIGKILL):
            text = self._log_file.read_text(encoding="utf-8")
            return [f"it ended with code {code}: {text[-2000:]}"]
        return list(self._differences())

    def operations(self):
        """Returns the kinds of operations on files so far, in order."""
        lines = self._operations_file.read_text(encoding="utf-8").splitlines()
        return list(dict.fromkeys(lines))

    def _differences(self):
        yield from _checkpoint_differences(self.workdir, self.reference)
        newest = max(_checkpoints(self.workdir), default=0)
        if newest < self._newest:
            yield f"checkpoint {self._newest} is gone"
        self._newest = newest
        taken = []
        if self._steps_file.exists():
            text = self._steps_file.read_text(encoding="utf-8")
            yield from _replay(text.splitlines(), taken)
        yield from _sample_differences(taken)
        if not self.is_complete:
            return
        if not newest == len(taken) == TOTAL_STEPS:
            yield f"{len(taken)} steps; the last checkpoint is of {newest}"
        for pattern in ("tmp-*", ".*.tmp"):
            for path in self.workdir.rglob(pattern):
                yield f"{path} is left over"
        if programs.rows(self.workdir) != programs.rows(self.reference):
            yield "metrics.jsonl is different"


def _checkpoints(workdir):
    """Returns {step: folder} of what is committed."""
    folders = (workdir / "checkpoints").glob("step-*")
    return {int(folder.name[5:]): folder for folder in folders}


def _checkpoint_differences(workdir, reference):
    wanted = _checkpoints(reference)
    for step, folder in sorted(_checkpoints(workdir).items()):
        if step not in wanted:
            yield f"{folder.name} is of a step that has no checkpoint"
            continue
        try:
            programs.assert_same_state(reference, workdir, step)
        except AssertionError as error:
            yield f"{folder.name} holds other values: {error}"
    for folder in (workdir / "checkpoints").glob("corrupt-*"):
        yield f"{folder.name}: it was taken for damaged"


def _replay(lines, taken):
    """Fills `taken` with the images of every step, in the order of steps.

    A process that goes on from a checkpoint replaces the steps that the one
    before it had taken since. Yields what is wrong with that.
    """
    for line in lines:
        step, *indices = map(int, re.findall("[0-9]+", line))
        if step > len(taken):
            yield f"steps {len(taken)} to {step} were left out"
        if taken[step : step + 1] not in ([], [indices]):
            yield f"step {step} had other images before"
        taken[step:] = [indices]


def _sample_differences(taken):
    """Looks whether every epoch has each image once."""
    stream = [index for indices in taken for index in indices]
    for first in range(0, len(stream), NUM_IMAGES):
        counts = collections.Counter(stream[first : first + NUM_IMAGES])
        if max(counts.values()) > 1 or max(counts) >= NUM_IMAGES:
            yield f"the epoch from element {first} has an image twice"
