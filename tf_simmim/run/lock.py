"""A lock that keeps two processes from training in one run directory."""

import contextlib
import errno
import fcntl
import os
import platform
from pathlib import Path

from absl import logging

_UNSUPPORTED = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)
# What network folders say to the lock of a folder, which is open for reading.
_UNSUPPORTED_FOLDER = (*_UNSUPPORTED, errno.EBADF, errno.EINVAL, errno.EISDIR)
# Files are closed when nothing refers to them any more, and a lock goes with
# its file. These stay open until the process ends.
_descriptors = {}
_RULE = "`path` must be a run directory in which no other process trains"


def lock_for_life(file: Path, rule: str = _RULE) -> None:
    """Locks a file, and its folder, until this process ends, however it ends.

    The operating system drops the locks with the process, so `kill -9` leaves
    none behind. The file stays, with the name of the last holder in it. The
    folder is locked because the file may be removed meanwhile; the file,
    because not every file system can lock a folder. A second call in the same
    process changes nothing.

    On a file system without locks (some network folders) a warning takes the
    place of the lock.

    Args:
        file: path, created if need be.
        rule: str. What another process that holds a lock breaks.

    Raises:
        ValueError: another process holds a lock; the message has the rule, and
            names it.
    """
    file = Path(file).resolve()
    if file in _descriptors:
        return
    folder = os.open(file.parent, os.O_RDONLY)
    descriptor = None
    try:
        _lock(folder, file, rule, _UNSUPPORTED_FOLDER)
        # Opened without truncation: what is in there may name the holder.
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(descriptor, file, rule, _UNSUPPORTED):
            logging.warning(
                "%s cannot be locked: make sure yourself that only one "
                "process trains there.",
                file.parent,
            )
    except BaseException:
        os.close(folder)
        if descriptor is not None:
            os.close(descriptor)
        raise
    _descriptors[file] = (folder, descriptor)
    holder = f"process {os.getpid()} on {platform.node() or 'this machine'}"
    with contextlib.suppress(OSError):  # a full disk; the lock itself holds
        os.ftruncate(descriptor, 0)
        os.write(descriptor, holder.encode() + b"\n")


def _lock(descriptor, file, rule, unsupported):
    """Locks a file or folder; returns whether there are such locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = ""
        with contextlib.suppress(OSError):
            holder = file.read_bytes()[:200].decode("utf-8", "replace").strip()
        raise ValueError(
            f"{rule}. Received: {file.parent}, where "
            f"{holder or 'another process'} does. Wait until it is done, or "
            "stop it."
        ) from error
    except OSError as error:
        if error.errno not in unsupported:
            raise
        return False
    return True
