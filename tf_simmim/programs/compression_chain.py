"""A chain of compressions in a folder, which goes on where it was ended.

    chain.json        the run, the steps, and what each of them began with
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
from tf_simmim import models
from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim.compression import report_file
from tf_simmim.compression.report import CompressionReport
from tf_simmim.programs import compression_steps
from tf_simmim.programs import step_report
from tf_simmim.run import lock

FILE_NAME = "chain.json"
_FORMAT = "tf_simmim compression chain"
_ROLLED_BACK = ".rolled-back"
_BEGAN_WITH = "began_with"
# Instead of a report, of a network whose answers cannot be compared.
_FAILURE = "failure.json"
# 0.97 - 0.96 is more than 0.01.
_ROUNDING = 1e-9
_NEEDS_LABELS = (
    "max_accuracy_drop needs held-out images with labels. "
    "Received: {}, without."
)
# The score that a gate looks at, the first one that there is.
_MAIN_SCORES = ("accuracy", "mean_iou", "mean_average_precision", "linear")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Attributes:
        name: str, of its folder, such as "1-prune".
        step: `Step`.
        report: `CompressionReport`, or None of a network whose answers were
            not finite.
        broken: str. Which gate it broke, in a sentence; empty for none.
        folder: path of its run, or None for a step that was rolled back.
    """

    name: str
    step: compression_steps.Step
    report: CompressionReport | None
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
        ValueError: the run cannot be taken by a step, `folder` is of another
            run or has done other steps, another process works in it, or as the
            steps.
    """
    _require_possible(run, steps)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock.lock_for_life(
        folder / "lock",
        "--chain_dir must be a folder in which no other process compresses",
    )
    document = _begin(run, folder, steps)
    for leftover in folder.glob(".*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    outcomes, current = [], Path(run)
    for number, step in enumerate(steps, start=1):
        name = f"{number}-{step.name}"
        done, undone = folder / name, folder / f"{name}{_ROLLED_BACK}"
        if not done.exists() and not undone.exists():
            tell(f"Step {name}: {step.text}")
            document["steps"][number - 1][_BEGAN_WITH] = _checkpoint_of(current)
            atomic_file.write_json(folder / FILE_NAME, document)
            _take(step, current, run, done, undone)
        kept = done.exists()
        report, broken = _read_outcome(done if kept else undone, step.gates)
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
        raise ValueError(_NEEDS_LABELS.format(report.images))
    drop = report.original.scores[score] - report.compressed.scores[score]
    if drop > gates["max_accuracy_drop"] + _ROUNDING:
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


def _require_possible(run, steps):
    """Refuses what a step would refuse, before anything is written."""
    model = training.load_pretrained(run)
    for step in steps:
        compression_steps.KINDS[step.name].check_model(model)
    if any("max_accuracy_drop" in step.gates for step in steps):
        _require_labels(run, model)


def _require_labels(run, model):
    record = run_files.read_record(run)
    images = step_report.open_images(record, model, num_images=1)
    labels = {models.Segmenter: "segmentation", models.Detector: "boxes"}
    has_labels = labels.get(type(model), "label") in images.batches.element_spec
    # Probes learn from training images beside those held out.
    if isinstance(model, models.SimMIM):
        has_labels = images.train is not None
    if not has_labels:
        raise ValueError(_NEEDS_LABELS.format(images.name))


def _begin(run, folder, steps):
    """Returns what chain.json says, compared with what has been done."""
    document = {
        "format": _FORMAT,
        "schema": 1,
        "run": str(run),
        "checkpoint": _checkpoint_of(run),
        "steps": [{"step": step.text, **step.gates} for step in steps],
    }
    file = folder / FILE_NAME
    names = [f"{i}-{step.name}" for i, step in enumerate(steps, start=1)]
    if not file.exists() and not any(_is_done(folder, n) for n in names):
        return document
    try:
        before = json.loads(atomic_file.read_bytes(file))
        is_of_run = before["checkpoint"] == document["checkpoint"]
        done = [
            (name, each)
            for number, each in enumerate(before["steps"], start=1)
            if _is_done(folder, name := f"{number}-{each['step'].split()[0]}")
        ]
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise ValueError(
            f"{file} must be a chain.json that compress.py has written. "
            f"Received: another file ({error})."
        ) from error
    if not is_of_run:
        raise ValueError(
            f"{folder} must be of the run as it is now; name another "
            f"--chain_dir, or remove it. Received: {run}, which has trained on "
            "or is another one."
        )
    current = run
    for place, (name, was) in enumerate(done):
        number = int(name.partition("-")[0])
        asked = document["steps"][number - 1] if number <= len(steps) else None
        began_with = was.pop(_BEGAN_WITH, None)
        if asked != was:
            raise ValueError(
                f"Step {number} of {folder} is done, as {_in_words(was)}: give "
                "it again as it was, or name another --chain_dir. Received: "
                f"{_in_words(asked) if asked else 'no such step'}."
            )
        if number != place + 1 or began_with != _checkpoint_of(current):
            raise ValueError(
                f"{name} must have begun with what the steps before it leave; "
                "remove it, and it is made anew. Received: "
                f"{folder / name}, which began with another network."
            )
        asked[_BEGAN_WITH] = began_with
        if (folder / name).exists():
            current = folder / name
    return document


def _is_done(folder, name):
    return (folder / name).exists() or (
        folder / f"{name}{_ROLLED_BACK}"
    ).exists()


def _in_words(step):
    """Returns a step of chain.json as a flag, with the limits of all steps."""
    limits = [
        f"{name}={step[name]}"
        for name in compression_steps.GATES
        if name in step and f" {name}=" not in step["step"]
    ]
    return f"--step='{' '.join([step['step'], *limits])}'"


def _checkpoint_of(run):
    """Returns the SHA-256 of a run's newest checkpoint."""
    directory = training.RunDirectory(run, create=False)
    store = training.CheckpointStore(directory.checkpoints, create=False)
    return store.newest_valid()["sha256"]


def _read_outcome(folder, gates):
    """Returns (`CompressionReport` or None, which gate was broken)."""
    file = folder / _FAILURE
    if file.exists():
        return None, str(json.loads(atomic_file.read_bytes(file))["broken"])
    report = report_file.read_report(folder)
    return report, broken_gate(report, gates)


def _take(step, current, original, done, undone):
    """Takes one step, and gives its folder the name that it deserves."""
    temporary = atomic_file.temporary_name(done)
    try:
        failure, report = None, None
        try:
            compression_steps.KINDS[step.name].run(
                current, Path(original), temporary, step.options
            )
            report = report_file.read_report(temporary)
        except FloatingPointError as error:
            failure = f"as its numbers are not finite: {error}".rstrip(".")
        if failure is None and not broken_gate(report, step.gates):
            os.rename(temporary, done)
        else:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            if failure is None:
                report_file.write_report(temporary, report)
            else:
                document = {"broken": failure}
                atomic_file.write_json(temporary / _FAILURE, document)
            os.rename(temporary, undone)
        atomic_file.sync(done.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
