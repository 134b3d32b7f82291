"""The folders of a model's versions, while several programs write them."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
from pathlib import Path

from tf_simmim import atomic_file

# A name that is no number is no version to a server.
_TEMPORARY = re.compile(r"\.\d+\.\d+(\.[0-9a-f]+)?\.tmp")
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)


def choose(directory, version=None) -> int:
    """Returns the number that a version is to have.

    Args:
        directory: path of the folder of versions.
        version: int > 0, or None for the one after the largest there is.

    Raises:
        ValueError: `version` is not such a number, or exists.
    """
    there = [
        int(path.name)
        for path in Path(directory).iterdir()
        if path.name.isdecimal()
    ]
    if version is None:
        return max(there, default=0) + 1
    if not isinstance(version, int) or version < 1 or version in there:
        raise ValueError(
            "`version` must be a positive int that is not taken; there are "
            f"{sorted(there)} in {directory}. Received: {version!r}."
        )
    return version


@contextlib.contextmanager
def writing(directory, version: int):
    """Makes a folder to write a version in; removed after the block.

    It is locked meanwhile, so that `sweep` knows that somebody writes in it.
    The operating system drops the lock with the process.

    Args:
        directory: path of the folder of versions.
        version: int. What it will probably be called.

    Yields:
        Path of the folder, which may be renamed.
    """
    path, descriptor = _make_locked(Path(directory), version)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def sweep(directory) -> None:
    """Removes what exports that were killed have left half written.

    On a file system without locks, nobody knows, and it stays.
    """
    for path in Path(directory).iterdir():
        if _TEMPORARY.fullmatch(path.name):
            atomic_file.remove_unheld_folder(path)


def rename(path, directory, version, is_of: int, tell) -> Path:
    """Gives a version that is whole its name, in one step.

    Another export may have taken the number meanwhile.

    Args:
        path: path of the folder of `writing`.
        directory: path of the folder of versions.
        version: as of `choose`.
        is_of: int. The number that the folder's files name.
        tell: function of another number, which makes them name that.

    Returns:
        Path, `<directory>/<number>`.

    Raises:
        ValueError: as of `choose`.
    """
    while True:
        number = choose(directory, version)
        if number != is_of:
            tell(number)
            is_of = number
        final = Path(directory) / str(number)
        try:
            os.rename(path, final)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            continue
        atomic_file.sync(Path(directory))
        return final


def _make_locked(directory, version):
    while True:
        token = secrets.token_hex(4)
        path = directory / f".{version}.{os.getpid()}.{token}.tmp"
        path.mkdir()
        # Until it is locked, it looks like a leftover, and may be removed.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            if _is_locked(descriptor) and path.exists():
                return path, descriptor
            os.close(descriptor)


def _is_locked(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # Where there are no locks, nobody sweeps.
    return True
