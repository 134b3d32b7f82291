"""A model in a folder of its own, as a run of no steps would leave it."""

import contextlib
import fcntl
import os
import re
import shutil
from pathlib import Path

import tensorflow as tf

from tf_simmim import atomic_file
from tf_simmim.run import directory
from tf_simmim.run import record_file
from tf_simmim.run.model_record import ModelRecord
from tf_simmim.training import checkpoints


def write_model_folder(path, model, documents=None, record=None) -> None:
    """Writes a model where `load_pretrained` finds it.

        run.json                   what it is, see `run.RunRecord`
        model.json                 the model's kind and configuration
        environment.json           versions, devices, commit
        checkpoints/step-00000000  the weights

    The folder is whole or not there. What a process that was killed had half
    written of it is removed.

    Args:
        path: path of a folder, which does not exist.
        model: a model that `load_pretrained` knows, e.g. `models.SimMIM`.
        documents: {name: str or JSON-able dict} of files to write beside it;
            None for none.
        record: `run.RunRecord`, or None for a folder without run.json: all
            that a model does not say of itself is then as for natural images.

    Raises:
        ValueError: `path` exists, or nothing can be written there.
        FloatingPointError: a weight is not finite; nothing is written.
        CheckpointWriteError: the disk is full or failing; nothing is left.
    """
    path = Path(path)
    if path.exists() or path.is_symlink():
        raise ValueError(
            "`path` must be a folder that does not exist yet. "
            f"Received: {path}."
        )
    temporary = atomic_file.temporary_name(path)
    shutil.rmtree(temporary, ignore_errors=True)
    _sweep(path)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        run = directory.RunDirectory(temporary)
        stack.enter_context(_locked(temporary))
        store = checkpoints.CheckpointStore(run.checkpoints)
        store.save(
            tf.train.Checkpoint(model=model),
            step=0,
            metadata={"model": ModelRecord.of(model).as_json()},
        )
        run.write_model(model)
        if record is not None:
            record_file.write_record(temporary, record)
        run.write_environment()
        for name, content in (documents or {}).items():
            write = atomic_file.write_text
            if not isinstance(content, str):
                write = atomic_file.write_json
            write(temporary / name, content)
        # Of training, which has not been here.
        run.tensorboard.rmdir()
        run.reconstructions.rmdir()
        os.rename(temporary, path)
        atomic_file.sync(path.parent)


@contextlib.contextmanager
def _locked(folder):
    """Tells `_sweep` of other processes that this one writes in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # Without locks, nobody sweeps.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _sweep(path):
    """Removes what processes that were killed had written of a folder."""
    leftover = re.compile(rf"\.{re.escape(path.name)}\.\d+\.tmp")
    for other in path.parent.glob(".*.tmp"):
        if leftover.fullmatch(other.name):
            atomic_file.remove_unheld_folder(other)
