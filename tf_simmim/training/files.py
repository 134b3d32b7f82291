"""Writing small files so that a reader never sees half of one."""

import contextlib
import errno
import json
from pathlib import Path

import tensorflow as tf
from absl import logging

from tf_simmim import atomic_file

sync = atomic_file.sync

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def survive_full_disk(what: str):
    """Logs an error of a full disk in its block, and goes on after the block.

    For what a run can do without: hours of training are not given up for a
    picture.

    Args:
        what: str. What is lost, for the log.
    """
    try:
        yield
        return
    except OSError as error:
        if error.errno not in _FULL_DISK:
            raise
        why = error.strerror
    except (
        tf.errors.ResourceExhaustedError,  # ENOSPC
        tf.errors.OutOfRangeError,  # EFBIG
    ) as error:
        why = error.message.partition("\n")[0]
    logging.error("Not written: %s (%s).", what, why)


def write_all(file, content: bytes) -> None:
    """Writes to an unbuffered file, which may take less than all at once."""
    while content:
        content = content[file.write(content) :]


def write_text(path: Path, text: str) -> None:
    """Replaces a text file in one step: a reader sees the old or the new."""
    with atomic_file.replacing(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, content) -> None:
    """Replaces a JSON file in one step, indented for people."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")
