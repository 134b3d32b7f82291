"""Kills programs that train at chosen moments, and compares what they leave.

What is started, and may kill itself, is in `saboteur.py`.
"""

import dataclasses
import re
import signal
import subprocess
import sys

from tests.integration import programs
from tests.integration import saboteur
from tests.integration import warm_interpreter

# Three starts without a kill: what was to be waited for does not happen.
_MAX_STARTS = 3


@dataclasses.dataclass(frozen=True)
class Job:
    """A program, and what to know of it.

    Attributes:
        program: str. A file of `experiments/`.
        flags: tuple of str.
        total_steps: int. That it takes with these flags.
        num_images: int. Elements of an epoch.
        results: tuple of str. Files of the run's folder that end it.
    """

    program: str
    flags: tuple[str, ...]
    total_steps: int
    num_images: int
    results: tuple[str, ...] = ()

    def arguments(self, workdir, keep_checkpoints=2):
        """Returns the command line of a run."""
        return (
            *self.flags,
            f"--train_steps={self.total_steps}",
            f"--keep_checkpoints={keep_checkpoints}",
            f"--workdir={workdir}",
        )


PRETRAINING = Job(
    "pretrain.py",
    (
        *programs.TINY,
        "--depth=1",
        "--global_batch_size=128",
        "--train_epochs=5",
        "--checkpoint_every_steps=2",
        # Held-out images take a fifth of a start, and are in the rows that
        # `pretrain_test.py` compares.
        "--validation_split=",
        # At the end, which most starts never see.
        "--picture_every_steps=1000",
    ),
    total_steps=46,
    num_images=1797,  # all digits: 14.04 steps
)


def train_uninterrupted(workdir, job=PRETRAINING):
    """Runs the plain program once, keeping every checkpoint.

    Args:
        workdir: pathlib.Path.
        job: Job.
    """
    result = programs.run(
        job.program, *job.arguments(workdir, keep_checkpoints=1000)
    )
    if result.returncode:
        raise RuntimeError(result.stderr)


def kill_each(folder, reference, kills, job=PRETRAINING):
    """Kills as often as asked, over as many runs as it takes.

    Args:
        folder: pathlib.Path for the runs.
        reference: pathlib.Path, of `train_uninterrupted`.
        kills: iterable of what `Run.start` takes.
        job: Job, that of the reference.

    Yields:
        (kill, list of str), what was found after it; and a last one for
        letting the last run finish, with None for the kill.
    """
    runs = (Run(folder / str(n), reference, job) for n in range(sys.maxsize))
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


def start_once(program, folder, notes, kill, arguments):
    """Starts a program, and waits until it ends or is killed.

    Args:
        program: str. A file of `experiments/`.
        folder: pathlib.Path. Operations on the files in it are noted.
        notes: pathlib.Path of a folder for them.
        kill: as of `Run.start`.
        arguments: tuple of str. The program's command line.

    Returns:
        int: its exit code; -9 where it was killed.
    """
    command = (
        *(saboteur.__file__, program, folder),
        *(notes / "steps.txt", notes / "operations.txt"),
        *(kill if isinstance(kill, str) else "", *arguments),
    )
    process = warm_interpreter.start(
        command, programs.ROOT, stderr=notes / "stderr.txt"
    )
    try:
        return process.wait(kill if isinstance(kill, float) else 900)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def operations(notes):
    """Returns the kinds of operations on files that were noted, in order."""
    text = (notes / "operations.txt").read_text(encoding="utf-8")
    return list(dict.fromkeys(text.splitlines()))


class Run:
    """One run, over as many processes as it takes.

    Args:
        folder: pathlib.Path, made here. For the run and notes about it.
        reference: pathlib.Path. The same run, never interrupted.
        job: Job.
    """

    def __init__(self, folder, reference, job=PRETRAINING):
        folder.mkdir(parents=True)
        self.folder = folder
        self.workdir = folder / "run"
        self.reference = reference
        self.job = job
        self.is_complete = False
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
        arguments = self.job.arguments(self.workdir)
        code = start_once(
            self.job.program, self.workdir, self.folder, kill, arguments
        )
        self.is_complete = code == 0
        if code not in (0, -signal.SIGKILL):
            text = (self.folder / "stderr.txt").read_text(encoding="utf-8")
            return [f"it ended with code {code}: {text[-2000:]}"]
        return list(self._differences())

    def _differences(self):
        yield from _checkpoint_differences(self.workdir, self.reference)
        newest = max(_checkpoints(self.workdir), default=0)
        if newest < self._newest:
            yield f"checkpoint {self._newest} is gone"
        self._newest = newest
        taken = []
        steps_file = self.folder / "steps.txt"
        if steps_file.exists():
            text = steps_file.read_text(encoding="utf-8")
            yield from _replay(text.splitlines(), taken)
        yield from _sample_differences(taken, self.job.num_images)
        for name in self.job.results:
            files = (self.workdir / name, self.reference / name)
            if not files[0].exists() and not self.is_complete:
                continue
            if len({file.read_bytes() for file in files}) != 1:
                yield f"{name} is different"
        if not self.is_complete:
            return
        if not newest == len(taken) == self.job.total_steps:
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


def _sample_differences(taken, num_images):
    """Looks whether every epoch has each image once."""
    stream = [index for indices in taken for index in indices]
    for first in range(0, len(stream), num_images):
        epoch = stream[first : first + num_images]
        if len(set(epoch) & set(range(num_images))) < len(epoch):
            yield f"the epoch from element {first} has an image twice"
