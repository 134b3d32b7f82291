"""Writing small files so that a reader never sees half of one."""

import json
import os
from pathlib import Path


def sync(path: Path) -> None:
    """Flushes a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Replaces a text file in one step: a reader sees the old or the new."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    sync(temporary)
    os.replace(temporary, path)
    sync(path.parent)


def write_json(path: Path, content) -> None:
    """Replaces a JSON file in one step, indented for people."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")
