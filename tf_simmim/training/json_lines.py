"""A file of JSON rows, one a line, that outlives kills and full disks."""

import json
import math
import os
from pathlib import Path

from tf_simmim.training import files


class JsonLines:
    """Rows with a `step` each, appended while a run goes on.

    Each row is flushed to the disk. On a full disk, rows wait in memory for
    the next one. Numbers that are not finite, which JSON has no words for,
    become null.

    Args:
        file: path.

    Files: owns `file`.
    """

    def __init__(self, file):
        self.file = Path(file)
        self._unwritten = ""

    def rows(self, step) -> list[dict]:
        """Returns the rows up to a step; none if there is no file.

        Args:
            step: int. A checkpoint's step.

        Raises:
            ValueError: a line other than the last is not a row.
        """
        return [json.loads(line) for line in self._kept(step).splitlines()]

    def restart(self, step) -> None:
        """Cuts off the rows past a step; makes the file if there is none.

        They were written after the checkpoint from which the run continues,
        and will be written again.

        Args:
            step: int. The checkpoint's step.

        Raises:
            ValueError: a line other than the last is not a row.
        """
        self._unwritten = ""
        files.write_text(self.file, self._kept(step))

    def append(self, row: dict) -> None:
        """Adds a row, after those that a full disk has kept back."""
        row = {key: _or_none(value) for key, value in row.items()}
        self._unwritten += json.dumps(row) + "\n"
        with files.survive_full_disk(f"rows of {self.file}, for now"):
            self._append_unwritten()

    def _kept(self, step):
        if not self.file.exists():
            return ""
        return rows_up_to(self.file.read_text(encoding="utf-8"), step)

    def _append_unwritten(self):
        size = self.file.stat().st_size if self.file.exists() else 0
        # Unbuffered: closing the file must not try to write once more.
        with open(self.file, "ab", buffering=0) as file:
            try:
                files.write_all(file, self._unwritten.encode())
                os.fsync(file.fileno())
            except OSError:
                # Half a row would spoil the file for the rows after it.
                file.truncate(size)
                raise
        self._unwritten = ""


def rows_up_to(text: str, step: int) -> str:
    """Returns the rows of a file that a checkpoint has seen.

    Args:
        text: str. JSON lines with a `step` each; the last one may be cut off,
            as a killed process leaves it.
        step: int. The checkpoint's step.

    Returns:
        str: the lines up to and including that step, unchanged.

    Raises:
        ValueError: a line other than the last is not a row.
    """
    lines = text.splitlines(keepends=True)
    kept = []
    for number, line in enumerate(lines, start=1):
        if not line.endswith("\n"):
            break
        try:
            row_step = json.loads(line)["step"]
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(
                "`text` must be JSON lines with a `step` each. Received line "
                f"{number}: {line.strip()!r}."
            ) from error
        if row_step <= step:
            kept.append(line)
    return "".join(kept)


def _or_none(value):
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
