"""Writing a file so that a reader never sees half of it, and reading one."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
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


def require_ordinary(path: Path) -> None:
    """Refuses to read what is no ordinary file, before it is opened.

    A pipe in its place would keep a reader waiting for ever, and a device
    would have no end.

    Raises:
        OSError: it is something else, or is not there.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "It is no ordinary file", str(path))


def read_bytes(path: Path, at_most: int | None = None) -> bytes:
    """Returns what is in an ordinary file.

    Args:
        path: path.
        at_most: int. How many bytes of it; None for all.

    Raises:
        OSError: it cannot be read, or is no ordinary file.
    """
    require_ordinary(path)
    with open(path, "rb") as file:
        return file.read(-1 if at_most is None else at_most)


def set_aside(path: Path) -> Path:
    """Renames a damaged file or folder and returns its new name.

    Raises:
        OSError: the disk or its owner does not allow it.
    """
    target = path.with_name(f"corrupt-{path.name}")
    attempt = 1
    while os.path.lexists(target):
        attempt += 1
        target = path.with_name(f"corrupt-{path.name}-{attempt}")
    os.rename(path, target)
    return target


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Removes what processes that were killed had half written.

    Args:
        folder: path. Nothing in it may be under way.
        name: str. Of the file that was to be written, or a pattern.
    """
    for path in folder.glob(f".{name}.*.tmp"):
        path.unlink(missing_ok=True)


def remove_unheld_folder(folder: Path) -> None:
    """Removes a folder that no process holds a lock of.

    For folders that are locked while they are written. On a file system without
    locks nobody knows, and they stay.
    """
    with contextlib.suppress(OSError):  # Somebody else's; or gone.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


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


def write_all(file, content: bytes) -> None:
    """Writes to an unbuffered file, which may take less than all at once."""
    while content:
        content = content[file.write(content) :]


def write_text(path: Path, text: str) -> None:
    """Replaces a text file in one step: a reader sees the old or the new."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, content) -> None:
    """Replaces a JSON file in one step, indented for people."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")
