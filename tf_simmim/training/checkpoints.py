"""Checkpoints that are whole or not there: written aside, checked, renamed."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from tf_simmim.training import checkpoint_match
from tf_simmim.training import files
from tf_simmim.training import manifests
from tf_simmim.training.checkpoint_write_error import CheckpointWriteError
from tf_simmim.training.no_valid_checkpoint_error import NoValidCheckpointError

_PREFIX = "state"
# What a full or failing disk makes of a save. IndexError: TensorFlow, for a
# file that is shorter than it should be.
_WRITE_ERRORS = (OSError, tf.errors.OpError, IndexError)


class CheckpointStore:
    """The checkpoints of one run, newest last.

    Each lives in a folder `step-00000123` with TensorFlow's files and a
    `manifest.json` (step, sizes and SHA-256 of the files, metadata, the
    `fingerprint` of the environment, and its own SHA-256). A folder
    of that name is complete: it is written under a temporary name, flushed to
    disk, read back and checked to be finite, and renamed only then. Older
    ones go after that.

    Checkpoints are found by folder name and believed by manifest;
    TensorFlow's own `checkpoint` file plays no part, because when it is
    damaged TensorFlow reports that there are no checkpoints at all.

    Args:
        directory: path of a local folder, created if need be.
        keep: int >= 1. How many of the newest checkpoints stay.

    Raises:
        ValueError: `keep` is below 1.

    Files: owns `step-*`, `tmp-*` and `corrupt-*` in `directory`. What a killed
        process left half written is removed when the object is made.
    """

    def __init__(self, directory, keep=3):
        if keep < 1:
            raise ValueError(f"`keep` must be at least 1. Received: {keep}.")
        self.directory = Path(directory)
        self.keep = keep
        self.directory.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def save(self, checkpoint, step, metadata) -> Path:
        """Commits a checkpoint, then removes those beyond `keep`.

        Args:
            checkpoint: tf.train.Checkpoint.
            step: int >= 0. Optimizer steps taken so far.
            metadata: JSON-able dict, stored in the manifest.

        Returns:
            Path of the new folder.

        Raises:
            ValueError: there is a checkpoint of this step already.
            FloatingPointError: a tensor is not finite; nothing was kept.
            CheckpointWriteError: the disk is full or failing; nothing was
                kept, and older checkpoints are as they were.
        """
        final = self.directory / f"step-{step:08d}"
        if final.exists():
            raise ValueError(
                "`step` must be one that has no checkpoint yet. "
                f"Received: {step}, and {final} exists."
            )
        temporary = self._temporary(step)
        try:
            temporary.mkdir()
            checkpoint.write(str(temporary / _PREFIX))
            written = sorted(temporary.iterdir())
            for path in written:
                files.sync(path)
            files.sync(temporary)
            _require_finite(temporary / _PREFIX)
            manifests.write(temporary, written, step, metadata)
            os.rename(temporary, final)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(error, _WRITE_ERRORS):
                raise CheckpointWriteError(
                    self.directory, step, error
                ) from error
            raise
        files.sync(self.directory)
        self._prune()
        return final

    def require_space(self, checkpoint) -> None:
        """Refuses a disk that has no room for two checkpoints.

        Two, because the older ones are removed only when a new one is whole.

        Args:
            checkpoint: tf.train.Checkpoint whose variables all exist.

        Raises:
            ValueError: there is less room; the message says how much.
        """
        needed = 2 * sum(
            trackable.shape.num_elements() * trackable.dtype.size
            for trackable in tf.train.TrackableView(checkpoint).descendants()
            if isinstance(trackable, tf.Variable)
        )
        free = shutil.disk_usage(self.directory).free
        if free < needed:
            raise ValueError(
                "`directory` must have room for two checkpoints, "
                f"{_megabytes(needed)} here. Received: {self.directory}, with "
                f"{_megabytes(free)} free."
            )

    def latest(self):
        """Returns the step of the newest checkpoint, or None without any.

        It is not verified here: `restore` does that, and may settle for an
        older one.
        """
        return max(self._folders(), default=None)

    def restore(self, checkpoint) -> dict:
        """Restores the newest checkpoint that is undamaged.

        Newer, damaged ones are renamed to `corrupt-...`, with one line in the
        log each.

        Args:
            checkpoint: tf.train.Checkpoint whose variables all exist: build
                the model and the optimizer first. One of the model alone
                restores the model alone.

        Returns:
            dict: the manifest, with `step`, `metadata` and `fingerprint`
                (for `warn_if_changed`, where training goes on).

        Raises:
            NoValidCheckpointError: there is none, or all are damaged. They
                are left as they are.
            ValueError: the checkpoint is sound but belongs to another model;
                nothing was restored.
        """
        damaged = {}
        for _, folder in sorted(self._folders().items(), reverse=True):
            try:
                manifest = manifests.read(folder)
            except (OSError, ValueError, LookupError, TypeError) as error:
                damaged[folder] = f"{type(error).__name__}: {error}"
                continue
            break
        else:
            reasons = {folder.name: why for folder, why in damaged.items()}
            raise NoValidCheckpointError(
                self.directory, reasons or {"step-*": "there are none"}
            )

        prefix = str(folder / _PREFIX)
        checkpoint_match.require_match(prefix, checkpoint)
        status = checkpoint.read(prefix).assert_existing_objects_matched()
        # What is left over on purpose, such as an optimizer, is no news.
        status.expect_partial()
        for bad_folder, why in damaged.items():
            self._set_aside(bad_folder, why, instead=folder)
        return manifest

    def _folders(self):
        """Returns {step: path} of what is committed, damaged or not."""
        matches = {
            path: re.fullmatch(r"step-(\d{8,})", path.name)
            for path in self.directory.iterdir()
        }
        return {int(m[1]): path for path, m in matches.items() if m}

    def _temporary(self, step):
        return self.directory / f"tmp-{step:08d}-{os.getpid()}"

    def _prune(self):
        for step, folder in sorted(self._folders().items())[: -self.keep]:
            # Renamed first, so that a half-removed one never looks committed.
            temporary = self._temporary(step)
            os.rename(folder, temporary)
            shutil.rmtree(temporary)

    def _set_aside(self, folder, why, instead):
        target = folder.with_name(f"corrupt-{folder.name}")
        attempt = 1
        while target.exists():
            attempt += 1
            target = folder.with_name(f"corrupt-{folder.name}-{attempt}")
        os.rename(folder, target)
        logging.error(
            "Checkpoint %s is damaged (%s): renamed to %s, using %s instead.",
            folder,
            why,
            target.name,
            instead.name,
        )

    def _sweep(self):
        for path in self.directory.glob("tmp-*"):
            match = re.fullmatch(r"tmp-\d+-(\d+)", path.name)
            if match and not _is_another_live_process(int(match[1])):
                shutil.rmtree(path)


def _is_another_live_process(pid):
    # Our own number is a leftover as well: in a container, the process that
    # was killed often had the same one.
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _megabytes(num_bytes):
    return f"{num_bytes / 1e6:,.1f} MB"


def _require_finite(prefix):
    """Reads every tensor back (TensorFlow checks its CRC) and looks at it."""
    reader = tf.train.load_checkpoint(str(prefix))
    for name, dtype in sorted(reader.get_variable_to_dtype_map().items()):
        value = reader.get_tensor(name)
        if dtype.is_floating and not np.isfinite(value).all():
            raise FloatingPointError(
                f"Not saved: {name.split('/.ATTRIBUTES/')[0]} holds numbers "
                "that are not finite."
            )
