"""Writing small files so that a reader never sees half of one."""

import json
from pathlib import Path

from tf_simmim import atomic_file

sync = atomic_file.sync


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
