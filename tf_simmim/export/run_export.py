"""A run, as a server takes it."""

import dataclasses
import json
from pathlib import Path

from absl import logging

from tf_simmim import training
from tf_simmim.compression import network
from tf_simmim.compression import report_file
from tf_simmim.export import batching
from tf_simmim.export import writer
from tf_simmim.export.preprocessing import MAX_PIXELS
from tf_simmim.export.preprocessing import Preprocessing
from tf_simmim.run import record_file


def export_run(
    path,
    directory=None,
    version=None,
    *,
    max_pixels=MAX_PIXELS,
    max_batch_size=batching.MAX_BATCH_SIZE,
    verify=True,
    tflite=False,
) -> Path:
    """Exports what a run has learned, with its own normalisation and crop.

    Args:
        path: path of a run directory, of any program that trains; one that
            is still training will do.
        directory: path of a folder for versions; None for the run's
            `export`.
        version: as of `write_export`.
        max_pixels: as of `Preprocessing`.
        max_batch_size: as of `write_export`.
        verify: as of `write_export`.
        tflite: as of `write_export`.

    Returns:
        Path of the export, `<directory>/<version>`.

    Raises:
        ValueError, NoValidCheckpointError: as `read_run`.
        ValueError, ImportError, FloatingPointError: as `write_export`.
    """
    model, preprocessing, facts = read_run(path, max_pixels)
    return writer.write_export(
        directory or Path(path) / "export",
        model,
        preprocessing,
        version,
        {"run": facts, **_compression(path)},
        max_batch_size=max_batch_size,
        verify=verify,
        tflite=tflite,
    )


def read_run(path, max_pixels=MAX_PIXELS):
    """Returns what there is to export of a run.

    Args:
        path: path of a run directory.
        max_pixels: as of `Preprocessing`.

    Returns:
        (model, `Preprocessing`, JSON-able dict: `name` of its folder, `step`,
        `checkpoint`, the SHA-256 of that checkpoint, `commit` and `packages`
        that it was trained with, `metrics`, the last row of metrics.jsonl, and
        the numbers of its `evaluation`, if that was at this step).

    Raises:
        ValueError, NoValidCheckpointError: as `training.load_pretrained`.
        ValueError: as `run.read_record`.
    """
    model, checkpoint = _load(path)
    run = training.RunDirectory(path, create=False)
    record = record_file.read_record(path).input
    record.require_channels(model.backbone.channels)
    preprocessing = Preprocessing.of_record(
        record,
        model.backbone.image_size,
        max_pixels,
    )
    return model, preprocessing, _describe(run, checkpoint)


def _load(path):
    """Returns the model of a run, and the manifest of its checkpoint."""
    while True:
        before = _checkpoints(path)
        model = training.load_pretrained(path)
        run = training.RunDirectory(path, create=False)
        checkpoint = training.CheckpointStore(
            run.checkpoints, create=False
        ).newest_valid()
        # Or else the run has gone on meanwhile.
        if _checkpoints(path) == before:
            return model, checkpoint


def _checkpoints(path):
    return {step.name for step in Path(path).glob("checkpoints/step-*")}


def _describe(run, checkpoint):
    """Returns where the weights come from."""
    step = checkpoint["step"]
    rows = []
    try:
        rows = training.JsonLines(run.metrics_file).rows(step)
    except (OSError, ValueError) as error:
        logging.warning("The export has no metrics: %s", error)
    trained = _read_json(run.environment_file)
    evaluation = _read_json(run.path / "evaluation.json")
    if evaluation.get("step") != step:
        evaluation = {}
    numbers = {
        name: value
        for name, value in evaluation.items()
        if isinstance(value, int | float)
    }
    return {
        "name": run.path.resolve().name,
        "step": step,
        "checkpoint": checkpoint["sha256"],
        "commit": trained.get("commit"),
        "packages": trained.get("packages"),
        "metrics": rows[-1] if rows else {},
        "evaluation": numbers,
    }


def _compression(path):
    """Returns what a run says of how it was made smaller, if it was."""
    if not (Path(path) / report_file.FILE_NAME).exists():
        return {}
    try:
        report = report_file.read_report(path)
    except ValueError as error:
        logging.warning("The export tells no compression: %s", error)
        return {}
    if report.compressed.runtime != network.TENSORFLOW:
        # Its numbers are those of another file than what a server takes.
        return {}
    # Which units were kept is long, and of no use to a server.
    report = dataclasses.replace(report, selection=None)
    return {"compression": report_file.as_json(report)}


def _read_json(file):
    """Returns a dict from a file; an empty one for any other file."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
