"""The model of a run, with what it has learned."""

import os
from pathlib import Path

import tensorflow as tf

from tf_simmim.run import directory
from tf_simmim.run import json_lines
from tf_simmim.run import record_file
from tf_simmim.training import checkpoint_folders
from tf_simmim.training import checkpoints
from tf_simmim.training import model_file

_LAST_STEP = 2**62


def load_pretrained(path) -> tf.keras.Model:
    """Returns the model of a run, with the weights of its last checkpoint.

    `load_pretrained("runs/demo").backbone` is what one pretrains for. Of a run
    that keeps averages of its weights (`ema_momentum`), these are the weights.

    Each checkpoint says what model it is of, so that this works at any moment
    of a run, also while it goes on to another image size. (`model.json` says
    it for checkpoints from before they did.)

    The folder may be a stranger's: its files are read as data. A model's
    configuration can choose among our backbones only, and a checkpoint holds
    numbers.

    Args:
        path: path of a run directory.

    Returns:
        models.SimMIM, models.Classifier of a run that fine-tunes,
        models.Segmenter of one that segments, models.Detector of one that
        detects, or another model of a kind that `models.registry` knows; not
        compiled.

    Raises:
        ValueError: it is not the folder of a run, or of one that has not come
            to its first checkpoint, or its model's configuration is not what
            tf_simmim writes.
        NoValidCheckpointError: there is no checkpoint any more, or all are
            damaged.
    """
    file = Path(path) / "model.json"
    if os.path.lexists(file) and not file.is_file():
        raise ValueError(
            f"{file} must be a file, as the run has written it. Received: "
            "something else by that name."
        )
    if not _is_run(file.parent):
        raise ValueError(
            "`path` must be the folder of a run, with a model.json; files of "
            "whole models (.h5, .keras, .pth, SavedModel) are programs, and "
            f"are not loaded. Received: {path}."
        )
    run = directory.RunDirectory(path, create=False)
    store = checkpoints.CheckpointStore(run.checkpoints, create=False)
    if store.latest() is None:
        refuse_before_first_checkpoint(run)
    manifest = store.newest_valid()
    model = create_model(run, manifest)
    checkpoint = tf.train.Checkpoint(model=model)
    store.restore(checkpoint, set_aside=False, manifest=manifest)
    store.restore_averages(model.trainable_variables, manifest)
    return model


def create_model(
    run, manifest, *, changes=None, backbone_changes=None
) -> tf.keras.Model:
    """Returns the model that a checkpoint is of, with fresh weights.

    Args:
        run: `RunDirectory`.
        manifest: dict, of one of its checkpoints.
        changes: {name: value} of the model's arguments that are to be others,
            or None.
        backbone_changes: the same of its backbone's.

    Raises:
        ValueError: as `load_pretrained`.
    """
    file, document = run.model_file, manifest["metadata"].get("model")
    if document is None and file.is_file():
        document = model_file.read_json(file)
    elif document is None:
        document = record_file.read_record(run.path).model.as_json()
        file = run.record_file
    else:
        folder = run.checkpoints / checkpoint_folders.name(manifest["step"])
        file = folder / "manifest.json"
    return model_file.build_model(
        document,
        file,
        _largest_checkpoint(run.checkpoints),
        changes=changes,
        backbone_changes=backbone_changes,
    )


def refuse_before_first_checkpoint(run):
    """Refuses a run that has not come to its first checkpoint.

    One without checkpoints that is further than that has lost them.

    Args:
        run: `RunDirectory` without checkpoints.

    Raises:
        ValueError: it says at which step the first one comes.
    """
    try:
        settings = record_file.read_settings(run.path) or {}
        first = settings.get("checkpoint_every_steps")
        rows = json_lines.JsonLines(run.metrics_file).rows(_LAST_STEP)
    except ValueError:  # Damaged: so may be the rest.
        return
    step = max((row["step"] for row in rows), default=0)
    is_known = type(first) is int
    is_lost = is_known and step >= first
    if is_lost or (run.path / "committed.json").exists():
        return
    when = "the first comes at its end, if not before"
    if is_known:
        when = f"the first comes at step {first:,}, or at its end"
    raise ValueError(
        f"The run in {run.path} has no checkpoint yet: {when}; its metrics are "
        f"those of step {step:,}."
    )


def _is_run(path):
    """Whether there is a file that can say what model a run has."""
    files = ("model.json", "run.json", "checkpoints/step-*/manifest.json")
    return path.is_dir() and any(any(path.glob(file)) for file in files)


def _largest_checkpoint(folder):
    """Returns the bytes of the largest checkpoint in a folder."""
    sizes = [
        sum(file.stat().st_size for file in step.iterdir() if file.is_file())
        for step in folder.glob("step-*")
        if step.is_dir()
    ]
    return max(sizes, default=0)
