"""What an export says about itself: where it comes from, what it takes."""

import json
from pathlib import Path

from tf_simmim import atomic_file
from tf_simmim.training import manifests

FILE_NAME = "manifest.json"
FORMAT = "tf_simmim export"
FORMAT_VERSION = 1


def write(folder, content: dict) -> None:
    """Writes the manifest of an export, after all other files.

    Args:
        folder: path.
        content: JSON-able dict. `format`, `format_version` and `files` (sizes
            and SHA-256 of all other files) are added.
    """
    folder = Path(folder)
    atomic_file.write_json(
        folder / FILE_NAME,
        {
            **content,
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "files": _describe(folder),
        },
    )


def read(folder) -> dict:
    """Returns the manifest of an export, whatever its files are.

    Raises:
        ValueError: there is none, or it is another kind of file.
    """
    path = Path(folder) / FILE_NAME
    try:
        content = json.loads(atomic_file.read_bytes(path))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        if content["format_version"] != FORMAT_VERSION:
            raise ValueError(f"its version is {content['format_version']!r}")
        if not isinstance(content["files"], dict):
            raise ValueError(f"its files are {content['files']!r}")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{FILE_NAME} cannot be read ({error})") from error
    return content


def problems(folder, content: dict) -> list[str]:
    """Returns in what the files of an export are not as its manifest says.

    Args:
        folder: path.
        content: dict, from `read`.
    """
    expected, found = content["files"], _describe(Path(folder))
    result = [f"{name} is missing" for name in expected.keys() - found.keys()]
    result += [f"{name} is not in it" for name in found.keys() - expected]
    for name in expected.keys() & found.keys():
        if expected[name] != found[name]:
            result.append(f"{name} has other content than was written")
    return sorted(result)


def _describe(folder):
    """Returns {path inside the folder: size and hash} of all other files."""
    described = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != FILE_NAME:
            (described[name],) = manifests.describe([path]).values()
    return described
