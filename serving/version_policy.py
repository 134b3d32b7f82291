"""Which of a model's versions on disk are to be served."""

import dataclasses
import os
import pathlib
import re

# The largest version: TensorFlow Serving keeps it in an int64.
MAX_VERSION = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
    """TensorFlow Serving's `model_version_policy`.

    Attributes:
        kind: "latest", "all" or "specific". Default "latest", as there.
        num_versions: int. Of the policy "latest": how many, the highest
            numbers first. Default 1, as there; 0 counts as 1.
        versions: tuple of int. Of the policy "specific".

    Raises:
        ValueError: `kind` is none of these.
    """

    kind: str = "latest"
    num_versions: int = 1
    versions: tuple[int, ...] = ()

    def __post_init__(self):
        if self.kind not in ("latest", "all", "specific"):
            raise ValueError(
                '`kind` must be "latest", "all" or "specific". '
                f"Received: {self.kind!r}."
            )

    def choose(self, available):
        """Returns the set of those versions of `available` to serve."""
        if self.kind == "all":
            return set(available)
        if self.kind == "specific":
            return set(available) & set(self.versions)
        return set(sorted(available)[-max(self.num_versions, 1) :])


def find_versions(base_path: str | os.PathLike) -> dict[int, pathlib.Path]:
    """Returns the versions below a folder: {number: folder}.

    A version is a folder whose name is a number; leading zeros are allowed. Of
    two names of one number the last in the alphabet counts.

    Args:
        base_path: folder.

    Raises:
        OSError: the folder cannot be read.
    """
    found = {}
    with os.scandir(base_path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            number = _number(entry.name)
            if number is not None and entry.is_dir():
                found[number] = pathlib.Path(entry.path)
    return found


def _number(name):
    if not re.fullmatch("[0-9]{1,30}", name) or int(name) > MAX_VERSION:
        return None
    return int(name)
