"""Writing a file so that a reader never sees half of it."""

import contextlib
import os
from pathlib import Path


def sync(path: Path) -> None:
    """Flushes a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_name(path: Path) -> Path:
    """Returns what a file or folder is called until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Removes what processes that were killed had half written.

    Args:
        folder: path. Nothing in it may be under way.
        name: str. Of the file that was to be written, or a pattern.
    """
    for path in folder.glob(f".{name}.*.tmp"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path):
    """Opens a binary file that takes the place of `path` after the block.

    In one step: a reader sees the old file or the new one. An error in the
    block leaves the old one.

    Args:
        path: str or path.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    temporary = temporary_name(path)
    try:
        with open(temporary, "wb") as file:
            yield file
        sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)
