"""The folders of checkpoints: their names, and how they come and go.

step-00000123            a checkpoint, complete
tmp-00000123             one that is being written or removed
corrupt-step-00000123    one that was found to be damaged
"""

import contextlib
import os
import re
import shutil
from pathlib import Path

from absl import logging

from tf_simmim import atomic_file

_ASIDE = "corrupt-"  # of `atomic_file.set_aside`


def name(step: int) -> str:
    """Returns the name of a checkpoint's folder."""
    return f"step-{step:08d}"


def temporary(directory: Path, step: int) -> Path:
    """Returns the path of a checkpoint that is being written or removed."""
    return directory / f"tmp-{step:08d}"


def find(directory: Path) -> dict[int, Path]:
    """Returns {step: path} of what is committed, damaged or not."""
    try:
        names = set(os.listdir(directory))
    except FileNotFoundError:  # removed in mid-run: `save` makes it again
        return {}
    matches = (re.fullmatch(r"step-(\d{8,})", each) for each in names)
    steps = {int(match[1]) for match in matches if match}
    # Another name of a step, with one more zero, is none of ours.
    return {
        step: directory / name(step) for step in steps if name(step) in names
    }


def find_set_aside(directory: Path) -> list[Path]:
    """Returns the paths of what `set_aside` has renamed."""
    return sorted(directory.glob(f"{_ASIDE}*"))


def set_aside(folder: Path) -> str:
    """Renames a damaged checkpoint and returns its new name.

    Raises:
        ValueError: the disk or its owner does not allow it.
    """
    try:
        return atomic_file.set_aside(folder).name
    except OSError as error:
        raise ValueError(
            "`directory` must be a folder in which this user may rename what "
            f"is damaged. Received: {folder} ({error.strerror})."
        ) from error


def remove_old(directory: Path, keep: int, newest: int) -> None:
    """Removes the oldest checkpoints, and what attempts before have left.

    One that cannot be removed costs room on the disk and no more: it is a
    line in the log, and `sweep` tries again.

    Args:
        directory: path of the folder of checkpoints.
        keep: int >= 1. How many stay.
        newest: int. The step that was just written. One of a later step is
            somebody else's, and must not make this one an old one.
    """
    sweep(directory)
    steps = []
    with _warn_of_leftover(f"What is older in {directory}"):
        steps = sorted(step for step in find(directory) if step <= newest)
    for step in steps[:-keep]:
        path = temporary(directory, step)
        with _warn_of_leftover(path):
            # Renamed first: what is half removed never looks committed.
            os.rename(directory / name(step), path)
            _remove(path)


def sweep(directory: Path) -> None:
    """Removes all that is half written or half removed."""
    paths = []
    with _warn_of_leftover(f"What is half written in {directory}"):
        paths = list(directory.glob("tmp-*"))
    for path in paths:
        with _warn_of_leftover(path):
            _remove(path)


@contextlib.contextmanager
def _warn_of_leftover(what):
    try:
        yield
    except OSError as error:
        logging.warning("%s was not removed: %s.", what, error)


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
