"""A file of JSON rows, one a line, that outlives kills and failing disks."""

import hashlib
import json
import math
import os
from pathlib import Path

from absl import logging

from tf_simmim import atomic_file
from tf_simmim.run.dispensable import going_on_without


class JsonLines:
    """Rows with a `step` each, appended while a run goes on.

    Each row is flushed to the disk. When that fails, because the disk is full
    say, rows wait in memory for the next one, or for `flush`. Numbers that are
    not finite, which JSON has no words for, become null.

    Args:
        file: path.

    Files: owns `file`, and `corrupt-*` of its name beside it.
    """

    def __init__(self, file):
        self.file = Path(file)
        self._unwritten = ""
        # Where whole rows end, if half a row may be behind them.
        self._whole_bytes = None
        self._summary = _Summary("")

    @classmethod
    def of(cls, file):
        """Returns `file` itself if it is one of these, or one of a path."""
        return file if isinstance(file, cls) else cls(file)

    def has_any(self) -> bool:
        """Whether there is a file, or are rows that wait for one."""
        return bool(self._unwritten) or os.path.lexists(self.file)

    def rows(self, step) -> list[dict]:
        """Returns the rows up to a step; none if there is no file.

        Args:
            step: int. A checkpoint's step.

        Raises:
            ValueError: a line other than the last is not a row, or the file
                cannot be read.
        """
        return [json.loads(line) for line in self._kept(step).splitlines()]

    def summary(self, step=None) -> dict:
        """Returns what rows are known by.

        Args:
            step: int, for the rows up to it that are in the file; None for
                those that should be: which were there at `restart`, and which
                were appended since.

        Returns:
            JSON-able dict: `rows`, how many there are, and their `sha256`.

        Raises:
            ValueError: as `rows`, with a step.
        """
        if step is None:
            return self._summary.describe()
        return _Summary(self._kept(step)).describe()

    def restart(self, step) -> None:
        """Cuts off the rows past a step; makes the file if there is none.

        They were written after the checkpoint from which the run continues,
        and will be written again. A file that cannot be read is set aside.

        Args:
            step: int. The checkpoint's step.

        Raises:
            ValueError: as `set_damaged_aside`.
            OSError: the file cannot be written.
        """
        self.set_damaged_aside()
        written = self._written()
        kept = self._rows_up_to(written, step)
        self._unwritten = self._rows_up_to(self._unwritten, step)
        # In mid-run, a full disk need not take what is there already.
        if kept != written or not self.file.exists():
            atomic_file.write_text(self.file, kept)
        self._summary = _Summary(kept + self._unwritten)

    def append(self, row: dict) -> None:
        """Adds a row, after those that could not be written before."""
        row = {key: _or_none(value) for key, value in row.items()}
        line = json.dumps(row) + "\n"
        self._unwritten += line
        self._summary.add(line)
        self.flush()

    def flush(self) -> None:
        """Tries again to write what could not be written before."""
        if self._unwritten:
            with going_on_without(f"rows of {self.file}, for now"):
                self._append_unwritten()

    def set_damaged_aside(self) -> bool:
        """Renames the file if it cannot be read, and keeps what can be.

        The log says so in one line. Rows alone never keep a run from going
        on.

        Returns:
            bool: whether it was damaged.

        Raises:
            ValueError: the disk or its owner does not allow it.
        """
        try:
            self._kept(math.inf)
            return False
        except ValueError as error:
            why = error
        try:
            sound = _sound_rows(self._content())
        except (OSError, ValueError):
            sound = ""
        try:
            name = atomic_file.set_aside(self.file).name
            atomic_file.write_text(self.file, sound)
        except OSError as error:
            raise ValueError(
                f"{self.file} is damaged and cannot be replaced "
                f"({error.strerror}): {why}"
            ) from error
        logging.error(
            "%s Renamed to %s; the %d rows that can be read are kept.",
            why,
            name,
            sound.count("\n"),
        )
        return True

    def _kept(self, step):
        return self._rows_up_to(self._written() + self._unwritten, step)

    def _written(self):
        """Returns the text of the file, without half a row that failed."""
        if not os.path.lexists(self.file):
            return ""
        try:
            return self._content()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ValueError(
                f"{self.file} must be a file of rows. Received: {why}."
            ) from error

    def _content(self):
        content = atomic_file.read_bytes(self.file)
        # Not by `splitlines`, and no `\r` turned into `\n`: a row is a row.
        return content[: self._whole_bytes].decode("utf-8")

    def _rows_up_to(self, text, step):
        try:
            return rows_up_to(text, step)
        except ValueError as error:
            raise ValueError(f"{self.file} is damaged: {error}") from error

    def _append_unwritten(self):
        # Unbuffered: closing the file must not try to write once more.
        with open(self.file, "ab", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if self._whole_bytes is not None:
                size = min(size, self._whole_bytes)
                file.truncate(size)
            # Half a row would spoil the file for the rows after it.
            self._whole_bytes = size
            try:
                atomic_file.write_all(file, self._unwritten.encode())
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
        self._unwritten, self._whole_bytes = "", None


class _Summary:
    """How many rows there are, and their hash."""

    def __init__(self, text):
        self._num_rows = 0
        self._digest = hashlib.sha256()
        self.add(text)

    def add(self, text):
        self._num_rows += text.count("\n")
        self._digest.update(text.encode())

    def describe(self):
        return {"rows": self._num_rows, "sha256": self._digest.hexdigest()}


def rows_up_to(text: str, step: float) -> str:
    """Returns the rows of a file that a checkpoint has seen.

    Args:
        text: str. JSON lines with a `step` each; the last one may be cut off,
            as a killed process leaves it.
        step: number. The checkpoint's step.

    Returns:
        str: the lines up to and including that step, unchanged.

    Raises:
        ValueError: a line other than the last is not a row.
    """
    kept = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        row_step = _step_of(line)
        if row_step is None:
            raise ValueError(
                "`text` must be JSON lines with a `step` each. Received line "
                f"{number}: {_shortened(line)}."
            )
        if row_step <= step:
            kept.append(line + "\n")
    return "".join(kept)


def _sound_rows(text):
    lines = text.split("\n")[:-1]
    return "".join(f"{line}\n" for line in lines if _step_of(line) is not None)


def _step_of(line):
    """Returns the step of a row, or None of what is none."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return step if type(step) is int else None


def _shortened(line):
    text = repr(line.strip())
    return text if len(text) < 100 else f"{text[:97]}..."


def _or_none(value):
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
