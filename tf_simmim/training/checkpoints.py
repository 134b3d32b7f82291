"""Checkpoints that are whole or not there: written aside, checked, renamed."""

import contextlib
import os
import shutil
from pathlib import Path

import tensorflow as tf
from absl import logging

from tf_simmim import atomic_file
from tf_simmim.run.dispensable import going_on_without
from tf_simmim.training import checkpoint_folders as folders
from tf_simmim.training import checkpoint_match
from tf_simmim.training import manifests
from tf_simmim.training import read_back
from tf_simmim.training.errors import CheckpointWriteError
from tf_simmim.training.errors import NoValidCheckpointError

_PREFIX = "state"
# What a full or failing disk makes of a save. IndexError: TensorFlow, for a
# file that is shorter than it should be.
_WRITE_ERRORS = (OSError, tf.errors.OpError, IndexError)
# What reading a checkpoint raises that is not what was written.
_DAMAGE = (OSError, ValueError, LookupError, TypeError, RecursionError)


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

    One process at a time may write: the one that trains, and that holds the
    lock of the run directory. It calls `sweep` before anything else. Any
    number of others may read meanwhile: `latest`, and `restore` with
    `set_aside=False`, change nothing in the folder.

    Args:
        directory: path of a local folder.
        keep: int >= 1. How many of the newest checkpoints stay.
        mark: path of a file that the first checkpoint leaves behind, outside
            of `directory`: it tells a run without checkpoints yet from one
            that has lost them. None for none.
        create: bool. Whether to make the folder if it is missing. False to
            read: nothing is changed then.

    Raises:
        ValueError: `keep` is below 1, or `directory` is a file.

    Files: owns `step-*`, `tmp-*` and `corrupt-*` in `directory`, and `mark`.
    """

    def __init__(self, directory, keep=3, mark=None, create=True):
        if keep < 1:
            raise ValueError(f"`keep` must be at least 1. Received: {keep}.")
        self.directory = Path(directory)
        self.keep = keep
        self.mark = mark and Path(mark)
        if not create and not os.path.lexists(self.directory):
            return
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(
                "`directory` must be a folder, or not exist yet. Received: "
                f"{directory}, where {error.filename} is a file."
            ) from error

    def sweep(self) -> None:
        """Removes what a killed process left half written or half removed.

        For the process that trains, once it holds the lock of the run
        directory: another one would remove what is being written.
        """
        folders.sweep(self.directory)

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
        final = self.directory / folders.name(step)
        if final.exists():
            raise ValueError(
                "`step` must be one that has no checkpoint yet. "
                f"Received: {step}, and {final} exists."
            )
        temporary = folders.temporary(self.directory, step)
        # There when it could not be removed after an attempt that failed.
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            # The folder above may have been removed meanwhile.
            temporary.mkdir(parents=True)
            checkpoint.write(str(temporary / _PREFIX))
            written = sorted(temporary.iterdir())
            for path in written:
                atomic_file.sync(path)
            atomic_file.sync(temporary)
            read_back.require_finite(temporary / _PREFIX)
            manifests.write(temporary, written, step, metadata)
            os.rename(temporary, final)
            atomic_file.sync(self.directory)
        except BaseException as error:
            with contextlib.suppress(OSError):
                # Its name may not be on the disk: it does not count.
                os.rename(final, temporary)
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(error, _WRITE_ERRORS):
                raise CheckpointWriteError(
                    self.directory, step, error
                ) from error
            raise
        self._leave_mark(step)
        folders.remove_old(self.directory, self.keep, newest=step)
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

        Raises:
            NoValidCheckpointError: all that there were have been set aside as
                damaged: this is no fresh start.
        """
        committed = folders.find(self.directory)
        aside = folders.find_set_aside(self.directory)
        if aside and not committed:
            raise NoValidCheckpointError(
                self.directory,
                {path.name: "set aside as damaged" for path in aside},
            )
        return max(committed, default=None)

    def newest_valid(self) -> dict:
        """Returns the manifest of the newest checkpoint that is undamaged.

        For a model that depends on what its `metadata` says; `restore` comes
        next. Nothing is renamed.

        Raises:
            NoValidCheckpointError: there is none, or all are damaged.
            ValueError: a checkpoint may not be read by this user.
        """
        _, manifest, _ = self._newest_valid()
        return manifest

    def restore(self, checkpoint, set_aside=True, manifest=None) -> dict:
        """Restores the newest checkpoint that is undamaged.

        Newer, damaged ones are named in the log, one line each.

        Args:
            checkpoint: tf.train.Checkpoint whose variables all exist: build
                the model and the optimizer first. One of the model alone
                restores the model alone.
            set_aside: bool. Whether to rename damaged ones to `corrupt-...`,
                as the process that trains must, since it will write
                checkpoints of these steps again.
            manifest: dict from `newest_valid`, to restore that checkpoint
                although the run may have gone on; None for the newest.

        Returns:
            dict: the manifest, with `step`, `metadata` and `fingerprint`
                (for `warn_if_changed`, where training goes on).

        Raises:
            NoValidCheckpointError: there is none, or all are damaged. They
                are left as they are.
            ValueError: a checkpoint may not be read, or not be renamed, by
                this user; or it is sound but belongs to another model, and
                nothing was restored.
        """
        if manifest is None:
            folder, manifest, damaged = self._newest_valid()
        else:
            folder, damaged = (
                self.directory / folders.name(manifest["step"]),
                {},
            )
        prefix = str(folder / _PREFIX)
        checkpoint_match.require_match(prefix, checkpoint)
        status = checkpoint.read(prefix).assert_existing_objects_matched()
        # What is left over on purpose, such as an optimizer, is no news.
        status.expect_partial()
        for bad_folder, why in damaged.items():
            fate = "left as it is"
            if set_aside:
                fate = f"renamed to {folders.set_aside(bad_folder)}"
            logging.error(
                "Checkpoint %s is damaged (%s): %s, using %s instead.",
                bad_folder,
                why,
                fate,
                folder.name,
            )
        if set_aside:  # the run may be from before there were marks
            self._leave_mark(manifest["step"])
        return manifest

    def restore_averages(self, variables, manifest) -> bool:
        """Sets variables to the averages that a run's optimizer has of them.

        Args:
            variables: list of tf.Variable, in the order that the optimizer
                was built for, such as `model.trainable_variables`.
            manifest: dict from `newest_valid`.

        Returns:
            bool: whether there were any.
        """
        folder = self.directory / folders.name(manifest["step"])
        prefix = str(folder / _PREFIX)
        view = tf.train.CheckpointView(prefix)
        node = 0
        for name in ("optimizer", "averages", "0"):
            children = view.children(node)
            if name not in children:
                return False
            node = children[name]
        averages = tf.train.Checkpoint(averages=list(variables))
        status = tf.train.Checkpoint(optimizer=averages).read(prefix)
        status.assert_existing_objects_matched().expect_partial()
        return True

    def newest_metadata(self) -> dict:
        """Returns what the newest manifest says, its files not looked at.

        Returns:
            dict: its `metadata`; empty if no manifest can be read.
        """
        committed = folders.find(self.directory)
        for _, folder in sorted(committed.items(), reverse=True):
            with contextlib.suppress(*_DAMAGE):
                return manifests.read_unchecked(folder)["metadata"]
        return {}

    def _leave_mark(self, step):
        # After the checkpoint: a mark without one would block the run.
        if self.mark is not None and not self.mark.exists():
            with going_on_without(str(self.mark)):
                atomic_file.write_json(self.mark, {"first_checkpoint": step})

    def _newest_valid(self):
        """Returns (folder, manifest, {newer, damaged folder: why})."""
        damaged = {}
        committed = folders.find(self.directory)
        for _, folder in sorted(committed.items(), reverse=True):
            try:
                return folder, manifests.read(folder), damaged
            except PermissionError as error:
                # No damage, and nothing to lose a thousand steps for.
                raise ValueError(
                    "`directory` must hold checkpoints that this user may "
                    f"read. Received: {error.filename}."
                ) from error
            except _DAMAGE as error:
                if not os.path.lexists(folder):
                    # The process that trains has replaced it by newer ones.
                    return self._newest_valid()
                damaged[folder] = f"{type(error).__name__}: {error}"
        reasons = {folder.name: why for folder, why in damaged.items()}
        raise NoValidCheckpointError(
            self.directory, reasons or {"step-*": "there are none"}
        )


def _megabytes(num_bytes):
    return f"{num_bytes / 1e6:,.1f} MB"
