"""Where the manifest of a folder is written."""

import os
from pathlib import Path

from tf_simmim.data.sources import data_manifest


def manifest_path(root: bytes, given: str | None = None) -> Path:
    """Returns the file for a manifest, which may be there already.

    Args:
        root: bytes, the folder of images.
        given: str, or None for NAME.manifest.jsonl in the working directory;
            or beside the folder if the working directory is inside it.

    Raises:
        ValueError: there is another file of this name, or no folder for it.
    """
    folder = Path(os.fsdecode(root)).resolve()
    path = Path(f"{folder.name or 'images'}.manifest.jsonl")
    if folder in (Path.cwd(), *Path.cwd().parents):
        path = folder.parent / path
    path = Path(given) if given else path
    if path.is_file():
        with open(path, "rb") as file:
            if data_manifest.is_header(file.readline()):
                return path
    if path.exists() or not os.access(path.parent, os.W_OK):
        raise ValueError(
            "`manifest` must be a new file in a folder that can be written "
            f"to, or an older manifest to replace. Received: {path}."
        )
    return path
