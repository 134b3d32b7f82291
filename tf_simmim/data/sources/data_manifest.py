"""The manifest of a folder of images: what every file was when it was checked.

JSON lines: a header, one line for each file in the order of their paths, and
a last line with the SHA-256 of all lines before it.

Dimension key:
  n: images
"""

import dataclasses
import hashlib
import itertools
import json
import os

import tensorflow as tf

from tf_simmim import atomic_file

GOOD = "good"
BAD = "bad"

_FORMAT = "tf_simmim data manifest, version 1"
_NUM_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Entry:
    """One file.

    Attributes:
        path: bytes, relative to the folder.
        bytes: int, size of the file.
        type: str, its format by the first bytes.
        width: int, px, as training sees it; None if unknown.
        height: as `width`.
        sha256: str, of the content, in hexadecimal; None if unreadable.
        fingerprint: int, FarmHash64 of the content, signed; None if bad.
        verdict: "good" or "bad".
        findings: tuple of str, why it is bad, or what is odd about it.
    """

    path: bytes
    bytes: int = 0
    type: str = "unknown"
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    fingerprint: int | None = None
    verdict: str = BAD
    findings: tuple = ()


def fingerprint(contents) -> tf.Tensor:
    """Returns FarmHash64 of a string scalar tensor, as int64 []."""
    return tf.bitcast(tf.fingerprint(contents[tf.newaxis])[0], tf.int64)


def write(path, source: str, entries, **header) -> None:
    """Writes a manifest in one step: it is whole, or is not there.

    Args:
        path: str or path of the file.
        source: str. What was checked, for people.
        entries: iterable of `Entry`, in the order of their paths.
        **header: JSON-able, more lines for the header.

    Raises:
        OSError: the file cannot be written.
    """
    digest = hashlib.sha256()
    count = 0
    with atomic_file.replacing(path) as file:

        def write_line(content):
            line = json.dumps(content).encode() + b"\n"
            digest.update(line)
            file.write(line)

        write_line({"format": _FORMAT, "source": source, **header})
        for entry in entries:
            count += 1
            write_line(
                {**dataclasses.asdict(entry), "path": encode_path(entry.path)}
            )
        write_line({"files": count, "sha256": digest.hexdigest()})


def read(path):
    """Yields the entries of a manifest; at the end it is known to be whole.

    Args:
        path: str or path of the file.

    Raises:
        ValueError: there is no such file, it is no manifest, or it is not as
            it was written.
    """
    digest = hashlib.sha256()
    try:
        atomic_file.require_ordinary(path)
        with open(path, "rb") as file:
            header = file.readline()
            if not is_header(header):
                raise ValueError(
                    f"{path} is not a manifest of check_data.py. "
                    f"Received: {header[:60]!r}."
                )
            digest.update(header)
            line, count = file.readline(), 0
            for following in itertools.chain(file, [b""]):
                if not following:
                    break
                entry = json.loads(line)
                entry["path"] = decode_path(entry["path"])
                entry["findings"] = tuple(entry["findings"])
                yield Entry(**entry)
                digest.update(line)
                line, count = following, count + 1
            if json.loads(line) != {
                "files": count,
                "sha256": digest.hexdigest(),
            }:
                raise ValueError("it has other content than was written")
    except OSError as error:
        raise ValueError(
            f"There is no manifest {path} that can be read "
            f"({error.strerror}): experiments/check_data.py writes one."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if "is not a manifest" in str(error):
            raise
        raise ValueError(
            f"The manifest {path} is damaged: run experiments/check_data.py "
            "again."
        ) from error


def is_header(line: bytes) -> bool:
    """Tells whether this is the first line of a manifest."""
    return line.startswith(json.dumps({"format": _FORMAT})[:-1].encode())


def encode_path(path: bytes) -> str:
    r"""Returns any path as a string that JSON can hold.

    Bytes that are not UTF-8 become lone surrogates, `\udc80` to `\udcff`.
    """
    return path.decode("utf-8", "surrogateescape")


def decode_path(text: str) -> bytes:
    """Undoes `encode_path`."""
    return text.encode("utf-8", "surrogateescape")


def good_files(path, root: bytes, files: list) -> dict:
    """Returns {file: fingerprint} of the files that were good when checked.

    Args:
        path: str or path of the manifest.
        root: bytes, the folder.
        files: list of bytes, the image files now below it.

    Raises:
        ValueError: the manifest cannot be read, or a file of it is missing or
            has another size, or there is one that is not in it.
    """
    entries = {entry.path: entry for entry in read(path)}
    present = set(files)
    differences = [
        ("missing", sorted(entries.keys() - present)),
        ("new", sorted(present - entries.keys())),
        (
            "of another size",
            [
                file
                for file in files
                if file in entries
                and entries[file].bytes != size_of(os.path.join(root, file))
            ],
        ),
    ]
    if any(found for _, found in differences):
        text = "; ".join(
            f"{len(found)} {what} ({_names(found)})"
            for what, found in differences
            if found
        )
        raise ValueError(
            f"The manifest {path} is not of the folder {os.fsdecode(root)} as "
            "it is now: put the files back as they were, or run "
            f"experiments/check_data.py again. Received: {text}."
        )
    return {
        file: entry.fingerprint
        for file, entry in entries.items()
        if entry.verdict == GOOD
    }


def size_of(path: bytes) -> int:
    """Returns the size of a file; 0 if there is none, or it is no file."""
    return os.path.getsize(path) if os.path.isfile(path) else 0


def require_fingerprint(contents, expected, where: list) -> tf.Tensor:
    """Returns the contents of a file, once they are what a manifest lists.

    Args:
        contents: string scalar tensor.
        expected: int64 scalar tensor, the file's fingerprint.
        where: list of str or tensors, printed otherwise; valid UTF-8.

    Raises:
        tf.errors.InvalidArgumentError: they have another fingerprint.
    """
    is_same = tf.debugging.Assert(
        tf.equal(fingerprint(contents), expected),
        ["This is not the file that the manifest lists:", *where],
    )
    # In eager mode the assertion has run by now and there is no operation.
    with tf.control_dependencies([] if is_same is None else [is_same]):
        return tf.identity(contents)


def _names(paths):
    names = [repr(os.fsdecode(path)) for path in paths[:_NUM_NAMED]]
    if len(paths) > _NUM_NAMED:
        names.append("...")
    return ", ".join(names)
