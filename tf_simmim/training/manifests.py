"""What a checkpoint says about itself, so that damage is noticed."""

import hashlib
import json
from pathlib import Path

from tf_simmim.training import environment
from tf_simmim.training import files

_NAME = "manifest.json"
_CHUNK_BYTES = 1 << 20


def write(folder: Path, written: list[Path], step: int, metadata: dict) -> None:
    """Writes the manifest of a checkpoint's folder, flushed to the disk.

    Args:
        folder: path of the folder, under any name.
        written: paths of all other files in it.
        step: int >= 0. Optimizer steps taken so far.
        metadata: JSON-able dict.
    """
    manifest = {
        "step": step,
        "metadata": metadata,
        "fingerprint": environment.fingerprint(),
        "files": {path.name: _describe(path) for path in written},
    }
    manifest["sha256"] = _digest(manifest)
    files.write_json(folder / _NAME, manifest)


def read(folder: Path) -> dict:
    """Returns the manifest of a checkpoint whose files are as it says.

    Args:
        folder: path of the folder, named `step-00000123`.

    Returns:
        dict with `step`, `metadata`, `fingerprint`, `files`, `sha256`.

    Raises:
        OSError: a file cannot be read.
        ValueError, LookupError, TypeError: the manifest or a file is not what
            was written.
    """
    manifest = json.loads((folder / _NAME).read_text(encoding="utf-8"))
    if manifest["sha256"] != _digest(manifest):
        raise ValueError("the manifest has other content than was written")
    if folder.name != f"step-{manifest['step']:08d}":
        raise ValueError(f"the manifest is of step {manifest['step']}")
    _require_own_files(folder)
    for name, expected in manifest["files"].items():
        if Path(name).name != name:
            raise ValueError(f"{name} is not a file of this folder")
        size = (folder / name).stat().st_size
        if size != expected["bytes"]:
            raise ValueError(f"{name} has {size} of {expected['bytes']} bytes")
        if _describe(folder / name) != expected:
            raise ValueError(f"{name} has other content than was written")
    return manifest


def _require_own_files(folder):
    """Refuses links, and whatever else could stand for a file elsewhere."""
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file():
            raise ValueError(f"{path.name} is not an ordinary file")


def _describe(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _digest(manifest):
    content = {k: v for k, v in manifest.items() if k != "sha256"}
    # Through JSON first: it turns keys that are numbers into strings, which
    # sort in another order.
    content = json.loads(json.dumps(content))
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
