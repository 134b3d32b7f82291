"""The folder of one run: where everything that it leaves behind lives."""

import os
import sys
from pathlib import Path

import tensorflow as tf

from tf_simmim import atomic_file
from tf_simmim.run import environment
from tf_simmim.run import json_lines
from tf_simmim.run import lock
from tf_simmim.run import record_file
from tf_simmim.run.model_record import ModelRecord

# What must be an ordinary file where there is one of the name.
_FILES = (
    "committed.json",
    "environment.json",
    "evaluation.json",
    "flags.txt",
    "lock",
    "model.json",
    "run.json",
    "wandb_run_id.txt",
)


class RunDirectory:
    """The layout of a run's folder.

        run.json          what the run is, see `run.RunRecord`: what programs
                          and `export` read
        flags.txt         the run's settings for people, reusable as a flagfile
        environment.json  versions, devices, thread settings, commit
        model.json        the model's kind and configuration, as it is at
                          present; a checkpoint has its own, see
                          `load_pretrained`
        metrics.jsonl     one line per logging interval
        skipped_steps.jsonl  one line per step that was skipped, if any were
        tensorboard/      the same for TensorBoard, with pictures
        reconstructions/  PNG grids
        checkpoints/      see `CheckpointStore`
        committed.json    the step of the first checkpoint: a run that has this
                          and no checkpoints has lost them
        evaluation.json, evaluation.png, features/  of `evaluate.py`
        lock              locked while a process trains here, like the folder

    The files are never links: writing to one would change a file elsewhere.
    Nor are they folders, pipes or devices. (Files of rows may be, of a run
    that goes on: they are set aside then, as the rows are not needed for it.)

    Args:
        path: path of a local folder.
        create: bool. Whether to make the folders that are missing. False to
            read a run: nothing is changed then, and nothing need be writable.

    Attributes:
        path, record_file, flags_file, environment_file, metrics_file,
        skipped_steps_file, model_file, committed_file, tensorboard,
        reconstructions, checkpoints: pathlib.Path.
        metrics, skipped_steps: `JsonLines` of these files.

    Raises:
        ValueError: `path` is a URL, or has a name that this locale cannot
            tell TensorFlow; is a file or cannot be written to, where `create`
            is set; or one of its files is a link or none.
    """

    def __init__(self, path, create=True):
        if "://" in str(path):
            raise ValueError(
                f"`path` must be a folder of this machine. Received: {path}."
            )
        _require_utf_8(path)
        self.path = Path(path)
        self.record_file = self.path / "run.json"
        self.flags_file = self.path / "flags.txt"
        self.environment_file = self.path / "environment.json"
        self.metrics_file = self.path / "metrics.jsonl"
        self.skipped_steps_file = self.path / "skipped_steps.jsonl"
        self.model_file = self.path / "model.json"
        self.committed_file = self.path / "committed.json"
        self.tensorboard = self.path / "tensorboard"
        self.reconstructions = self.path / "reconstructions"
        self.checkpoints = self.path / "checkpoints"
        self.metrics = json_lines.JsonLines(self.metrics_file)
        self.skipped_steps = json_lines.JsonLines(self.skipped_steps_file)
        self._summary_writer = None
        if create:
            self._create()
        self._require_files()

    def _require_files(self):
        for file in self.path.iterdir():
            if file.is_symlink() and not file.is_dir():
                raise ValueError(
                    "`path` must be a folder whose files are no links. "
                    f"Received: {self.path}, where {file.name} is one."
                )
            if file.name in _FILES and file.exists() and not file.is_file():
                raise ValueError(
                    "`path` must be a folder whose files are ordinary files. "
                    f"Received: {self.path}, where {file.name} is none."
                )

    def _create(self):
        try:
            for folder in (
                self.path,
                self.tensorboard,
                self.reconstructions,
                self.checkpoints,
            ):
                folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(
                "`path` must be a folder, or not exist yet. Received: "
                f"{self.path}, where {error.filename} is a file."
            ) from error
        except OSError as error:
            raise ValueError(
                "`path` must be a place where folders can be made. Received: "
                f"{self.path} ({error.strerror}: {error.filename})."
            ) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise ValueError(
                "`path` must be a folder that this user may write to. "
                f"Received: {self.path}."
            )

    def lock(self) -> None:
        """Keeps other processes from training here while this one lives.

        A second call in the same process changes nothing. A process that was
        killed leaves no lock behind. The folder is locked as well as the file
        in it: removing that file lets nobody in.

        Raises:
            ValueError: another process trains here; the message names it.
        """
        lock.lock_for_life(self.path / "lock")

    def sweep(self, results=()) -> None:
        """Removes what a killed trainer has left half written.

        For the process that holds the lock. What readers write beside it, such
        as `evaluate.py`, may be under way, and stays.

        Args:
            results: sequence of str. Names of files in the run's folder that
                the trainer writes at the end, and nobody else.
        """
        for file in (
            self.record_file,
            self.flags_file,
            self.environment_file,
            self.metrics_file,
            self.skipped_steps_file,
            self.model_file,
            self.committed_file,
            *map(self.path.joinpath, results),
        ):
            atomic_file.remove_leftovers(self.path, file.name)
        atomic_file.remove_leftovers(self.reconstructions)

    def write_record(self, record) -> None:
        """Writes `run.json`, of a `run.RunRecord`."""
        record_file.write_record(self.path, record)

    def write_flags(self, text: str) -> None:
        """Writes `flags.txt`."""
        atomic_file.write_text(self.flags_file, text)

    def write_environment(self) -> None:
        """Writes `environment.json`; see `describe_environment`."""
        atomic_file.write_json(
            self.environment_file, environment.describe_environment()
        )

    def summary_writer(self) -> tf.summary.SummaryWriter:
        """Returns the writer for TensorBoard, always the same one.

        Make one object of this class per process and share it: TensorBoard
        follows only the newest file of a folder.
        """
        if self._summary_writer is None:
            self._summary_writer = tf.summary.create_file_writer(
                str(self.tensorboard)
            )
        return self._summary_writer

    def write_model(self, model) -> None:
        """Writes `model.json`: kind and configuration of a model."""
        record = ModelRecord.of(model)
        atomic_file.write_json(self.model_file, record.as_json())


def _require_utf_8(path):
    """Refuses a name that TensorFlow, which has UTF-8 only, takes for another.

    Python has the encoding of the locale.
    """
    try:
        is_same = os.fsencode(path) == str(path).encode("utf-8")
    except UnicodeError:
        is_same = False
    if not is_same:
        raise ValueError(
            "`path` must be plain ASCII where the locale is not UTF-8. "
            f"Received: {str(path)!r}, and the encoding "
            f"{sys.getfilesystemencoding()}; set PYTHONUTF8=1, or a locale "
            "such as LC_ALL=C.UTF-8."
        )
