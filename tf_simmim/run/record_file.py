"""Reading and writing what describes a run: run.json, whole or not at all."""

import dataclasses
import json
import os
from pathlib import Path

from tf_simmim import atomic_file
from tf_simmim.run import release_0_1
from tf_simmim.run.record import RunRecord

FILE_NAME = "run.json"
_MAX_BYTES = 64 << 20


def write_record(folder, record: RunRecord) -> None:
    """Writes a run's run.json; a reader sees the old file or the new one.

    Args:
        folder: path of the run, there already.
        record: `RunRecord`. Its class names are left out where they would
            make the file larger than `read_record` reads.

    Raises:
        ValueError: it is larger without them, too.
        OSError: it cannot be written.
    """
    content = _content(record)
    if len(content) > _MAX_BYTES and record.data is not None:
        # The model's configuration has them too.
        data = dataclasses.replace(record.data, class_names=None)
        content = _content(dataclasses.replace(record, data=data))
    if len(content) > _MAX_BYTES:
        raise ValueError(
            f"`record` must take at most {_MAX_BYTES} bytes in {FILE_NAME}. "
            f"Received: one of {len(content)} bytes."
        )
    with atomic_file.replacing(Path(folder) / FILE_NAME) as file:
        file.write(content)


def read_record(folder) -> RunRecord:
    """Returns what a run says of itself.

    A run of release 0.1.0, which has no run.json, is read by its other files.

    Args:
        folder: path of the run; a stranger's will do.

    Raises:
        ValueError: a file is not what a run has written; the message names
            it, the field and the rule.
    """
    file = Path(folder) / FILE_NAME
    if not os.path.lexists(file):
        return release_0_1.read_record(folder)
    try:
        return RunRecord.from_json(_read_json(file))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{file} must be a {FILE_NAME} that tf_simmim has written, or be "
            "removed: a run without it is read by its other files; "
            f"{_why(error)}"
        ) from error


def read_settings(folder) -> dict | None:
    """Returns the settings of a run, or None for one that has not begun.

    Args:
        folder: path of the run, which need not be there.

    Raises:
        ValueError: as `read_record`.
    """
    if os.path.lexists(Path(folder) / FILE_NAME):
        return read_record(folder).settings
    return release_0_1.read_settings(folder)


def _content(record):
    text = json.dumps(record.as_json(), indent=2, allow_nan=False)
    return f"{text}\n".encode()


def _read_json(file):
    content = atomic_file.read_bytes(file, _MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it has more than {_MAX_BYTES} bytes.")
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError("it is not JSON.") from error


def _refuse_constant(name):
    raise ValueError(f"its numbers must be finite. Received: {name}.")


def _why(error):
    if isinstance(error, OSError):
        return f"{error.strerror or error}."
    if isinstance(error, RecursionError):
        return "its brackets are too many."
    return str(error)
