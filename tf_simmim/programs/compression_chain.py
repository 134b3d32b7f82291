"""A chain of compressions in a folder, which goes on where it was ended.

    chain.json        the run and the steps
    1-prune/          what the first step has left: a run's folder
    2-quantise/       ... of the run before it
    2-quantise.rolled-back/  instead: the report of a step that broke its gate

Each folder appears under its name in one step, when it is whole.
"""

import dataclasses
import json
import os
import shutil
from pathlib import Path

from tf_simmim import atomic_file
from tf_simmim import training
from tf_simmim.compression import report_file
from tf_simmim.compression.report import CompressionReport
from tf_simmim.programs import compression_steps
from tf_simmim.run import lock

FILE_NAME = "chain.json"
_FORMAT = "tf_simmim compression chain"
_ROLLED_BACK = ".rolled-back"
# The score that a gate looks at, the first one that there is.
_MAIN_SCORES = ("accuracy", "mean_iou", "mean_average_precision", "linear")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Attributes:
        name: str, of its folder, such as "1-prune".
        step: `Step`.
        report: `CompressionReport`.
        broken: str. Which gate it broke, in a sentence; empty for none.
        folder: path of its run, or None for a step that was rolled back.
    """

    name: str
    step: compression_steps.Step
    report: CompressionReport
    broken: str
    folder: Path | None


def run_chain(run, folder, steps, tell=print) -> list[Outcome]:
    """Takes the steps that are not done yet, each on what the last one left.

    Args:
        run: path of the run to begin with, which is only read.
        folder: path for the results; made if it is not there.
        steps: list of `Step`.
        tell: function (str), called before each step and after it.

    Returns:
        list of `Outcome`, one a step.

    Raises:
        ValueError: `folder` is of other steps or another run, another process
            works in it, or as the steps.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock.lock_for_life(folder / "lock")
    _begin(run, folder, steps)
    for leftover in folder.glob(".*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    outcomes, current = [], Path(run)
    for number, step in enumerate(steps, start=1):
        name = f"{number}-{step.name}"
        done, undone = folder / name, folder / f"{name}{_ROLLED_BACK}"
        if not done.exists() and not undone.exists():
            tell(f"Step {name}: {step.text}")
            _take(step, current, run, done, undone)
        kept = done.exists()
        report = report_file.read_report(done if kept else undone)
        broken = broken_gate(report, step.gates)
        tell(f"{name}: {'kept' if kept else f'rolled back, {broken}'}.")
        outcomes.append(
            Outcome(name, step, report, broken, done if kept else None)
        )
        if kept:
            current = done
    return outcomes


def broken_gate(report, gates) -> str:
    """Returns which limit a report exceeds, in words; empty for none.

    Raises:
        ValueError: accuracy is limited, and there is none.
    """
    if report.agreement.kl > gates.get("max_kl", float("inf")):
        return (
            f"as KL {report.agreement.kl:.5f} exceeds max_kl={gates['max_kl']}"
        )
    if "max_accuracy_drop" not in gates:
        return ""
    score = main_score(report)
    if score is None:
        raise ValueError(
            "max_accuracy_drop needs held-out images with labels. "
            f"Received: {report.images}, without."
        )
    drop = report.original.scores[score] - report.compressed.scores[score]
    if drop > gates["max_accuracy_drop"]:
        limit = gates["max_accuracy_drop"]
        return (
            f"as {score} drops by {drop:.4f}, which exceeds "
            f"max_accuracy_drop={limit}"
        )
    return ""


def main_score(report) -> str | None:
    """Returns the name of the score that a gate looks at, or None."""
    both = report.original.scores.keys() & report.compressed.scores.keys()
    return next((name for name in _MAIN_SCORES if name in both), None)


def _begin(run, folder, steps):
    """Writes what the chain is, or compares it with what it was."""
    directory = training.RunDirectory(run, create=False)
    store = training.CheckpointStore(directory.checkpoints)
    if store.latest() is None:
        training.refuse_before_first_checkpoint(directory)
    plan = {
        "format": _FORMAT,
        "schema": 1,
        "run": str(run),
        "checkpoint": store.newest_valid()["sha256"],
        "steps": [{"step": step.text, **step.gates} for step in steps],
    }
    file = folder / FILE_NAME
    if not file.exists():
        atomic_file.write_json(file, plan)
        return
    try:
        before = json.loads(atomic_file.read_bytes(file))
        differing = [key for key in plan if before[key] != plan[key]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"{file} must be a chain.json that compress.py has written. "
            f"Received: another file ({error})."
        ) from error
    differing = [key for key in differing if key != "run"]
    if differing:
        raise ValueError(
            f"{folder} must be of the same {' and '.join(differing)}; name "
            "another --chain_dir, or remove it. Received: "
            f"{', '.join(str(plan[key]) for key in differing)}."
        )


def _take(step, current, original, done, undone):
    """Takes one step, and gives its folder the name that it deserves."""
    temporary = atomic_file.temporary_name(done)
    try:
        compression_steps.KINDS[step.name].run(
            current, Path(original), temporary, step.options
        )
        report = report_file.read_report(temporary)
        if not broken_gate(report, step.gates):
            os.rename(temporary, done)
        else:
            shutil.rmtree(temporary)
            temporary.mkdir()
            report_file.write_report(temporary, report)
            os.rename(temporary, undone)
        atomic_file.sync(done.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
