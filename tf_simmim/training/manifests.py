"""What a checkpoint says about itself, so that damage is noticed."""

import hashlib
import json
from pathlib import Path

from tf_simmim import atomic_file
from tf_simmim.run import environment

_NAME = "manifest.json"
_CHUNK_BYTES = 1 << 20


def describe(paths: list[Path]) -> dict:
    """Returns what a manifest says about files.

    Args:
        paths: of the files, all of one folder.

    Returns:
        {name: dict} with `bytes` and `sha256` of each.
    """
    return {path.name: _describe(path) for path in paths}


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
        "files": describe(written),
    }
    # Through JSON first: it turns keys that are numbers into strings, which
    # sort in another order.
    manifest = json.loads(json.dumps(manifest))
    atomic_file.write_text(folder / _NAME, _text_with_digest(manifest))


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
    manifest = read_unchecked(folder)
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


def read_unchecked(folder: Path) -> dict:
    """Returns the manifest of a checkpoint, without looking at other files.

    Raises:
        OSError, ValueError, LookupError, TypeError: as `read`.
    """
    content = atomic_file.read_bytes(folder / _NAME)
    manifest = json.loads(content)
    # Byte by byte: a space that was not there before is damage as well.
    if content != _text_with_digest(manifest).encode():
        raise ValueError("the manifest has other content than was written")
    if folder.name != f"step-{manifest['step']:08d}":
        raise ValueError(f"the manifest is of step {manifest['step']}")
    for name in ("metadata", "fingerprint", "files"):
        if not isinstance(manifest.get(name), dict):
            raise ValueError(f"{_NAME} has no `{name}`")
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


def _text_with_digest(manifest):
    """Returns the text of a manifest, with its own SHA-256 in it."""
    content = {**manifest}
    content.pop("sha256", None)
    text = json.dumps(content, sort_keys=True)
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
