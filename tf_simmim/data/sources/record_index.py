"""The index of a folder of prepared record files: what each of them holds.

`index.json`, written by `experiments/prepare.py` when all files are there.
"""

import dataclasses
import hashlib
import json
import os

import tensorflow as tf

from tf_simmim import atomic_file

FILE = "index.json"
# Lies in the folder while files are still being written.
UNFINISHED = ".unfinished"

_FORMAT = "tf_simmim prepared images, version 1"
_BLOCK_SIZE = 1 << 20  # bytes
_NUM_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Shard:
    """One record file.

    Attributes:
        file: str, its name in the folder.
        split: str, the split that its images are of.
        records: int.
        bytes: int, size of the file.
        sha256: str, of the file, in hexadecimal.
    """

    file: str
    split: str
    records: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """All record files of a folder.

    Attributes:
        shards: tuple of `Shard`, split after split, in order.
        class_names: dict of str, split -> list of str, or None.
        made_from: dict, JSON-able: source, settings and versions.
        left_out: tuple of dicts: `split`, `name` and `reason` of each image
            that was bad.
    """

    shards: tuple
    class_names: dict
    made_from: dict
    left_out: tuple = ()

    def write(self, folder) -> None:
        """Writes it into a folder, in one step.

        Args:
            folder: str or path.

        Raises:
            OSError: it cannot be written.
        """
        content = {"format": _FORMAT, **dataclasses.asdict(self)}
        content["sha256"] = _digest(content)
        text = json.dumps(content, indent=1) + "\n"
        with atomic_file.replacing(os.path.join(folder, FILE)) as file:
            file.write(text.encode())

    def of(self, paths) -> list:
        """Returns the `Shard` of each path.

        Args:
            paths: list of str, files of the index's folder.
        """
        shards = {shard.file: shard for shard in self.shards}
        return [shards[os.path.basename(path)] for path in paths]

    def paths_of(self, split: str, paths) -> list:
        """Returns those of `paths` that hold images of a split."""
        shards = zip(paths, self.of(paths), strict=True)
        return [path for path, shard in shards if shard.split == split]


def read(folder) -> RecordIndex:
    """Reads the index of a folder.

    Args:
        folder: str or path, local or any that `tf.io.gfile` opens.

    Raises:
        ValueError: it is damaged, or is none of ours.
        tf.errors.OpError: it cannot be read.
    """
    path = os.path.join(folder, FILE)
    with tf.io.gfile.GFile(path, "rb") as file:
        text = file.read()
    try:
        content = json.loads(text)
        if content.pop("format") != _FORMAT:
            raise ValueError("it is of another kind")
        if content.pop("sha256") != _digest({"format": _FORMAT, **content}):
            raise ValueError("it has other content than was written")
        shards = tuple(Shard(**shard) for shard in content.pop("shards"))
        left_out = tuple(content.pop("left_out"))
        return RecordIndex(shards=shards, left_out=left_out, **content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must be an index that experiments/prepare.py wrote, as "
            "it wrote it: put a good copy back, or prepare the images again "
            f"in another folder. Received: {text[:60]!r}... ({error})."
        ) from error


def find(paths) -> RecordIndex | None:
    """Finds the index that record files have, and holds them to it.

    Names and sizes are compared, contents are not: see `changed`.

    Args:
        paths: list of str, at least one.

    Returns:
        `RecordIndex`, or None if their folder has none, or they lie in more
        than one.

    Raises:
        ValueError: the folder is not finished, a file of the index is gone or
            has another size, or a path is not in the index.
    """
    folders = {os.path.dirname(path) for path in paths}
    for folder in folders:
        unfinished = os.path.join(folder, UNFINISHED)
        if tf.io.gfile.exists(unfinished):
            raise ValueError(
                f"The images in {folder} are not all prepared yet: give the "
                "command of experiments/prepare.py again, which goes on where "
                f"it stopped. Received: {len(paths)} of its files, and "
                f"{unfinished}."
            )
    folder = folders.pop()
    if folders or not tf.io.gfile.exists(os.path.join(folder, FILE)):
        return None
    index = read(folder)
    known = {shard.file for shard in index.shards}
    others = [path for path in paths if os.path.basename(path) not in known]
    wrong = [f"{path} is not in it" for path in others]
    for shard in index.shards:
        path = os.path.join(folder, shard.file)
        try:
            size = tf.io.gfile.stat(path).length
        except tf.errors.NotFoundError:
            wrong.append(f"{path} is gone")
            continue
        if size != shard.bytes:
            wrong.append(f"{path} has {size} bytes, not {shard.bytes}")
    if wrong:
        listing = "; ".join(wrong[:_NUM_NAMED])
        more = len(wrong) - _NUM_NAMED
        raise ValueError(
            f"The record files must be those of {os.path.join(folder, FILE)}: "
            "put good copies back, and keep other files in another folder. "
            f"Received: {listing}{f'; and {more} more' if more > 0 else ''}."
        )
    return index


def changed(paths, shards) -> list[str]:
    """Reads files, and says which are not what the index lists.

    Args:
        paths: list of str.
        shards: list of `Shard`, one for each path.

    Returns:
        list of str, each naming a file.
    """
    wrong = []
    for path, shard in zip(paths, shards, strict=True):
        try:
            if sha256_of(path) != shard.sha256:
                wrong.append(f"{path} has other content than the index lists")
        except tf.errors.OpError as error:
            wrong.append(f"{path} cannot be read ({type(error).__name__})")
    return wrong


def sha256_of(path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal.

    Raises:
        tf.errors.OpError: it cannot be read.
    """
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while block := file.read(_BLOCK_SIZE):
            digest.update(block)
    return digest.hexdigest()


def _digest(content):
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
