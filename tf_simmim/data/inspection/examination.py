"""Examines one image file: would training take it, and is it as it should be?

Dimension key:
  H W: image, px   C: channels
"""

import dataclasses
import hashlib
import os

import tensorflow as tf

from tf_simmim.data import bit_depth
from tf_simmim.data.inspection import finding
from tf_simmim.data.inspection import image_facts
from tf_simmim.data.sources import data_manifest
from tf_simmim.data.sources import decoding
from tf_simmim.data.sources import folder_tree

_SMALLEST_SIDE = 32  # px
_LONGEST_RATIO = 10
_FOREIGN = {
    "html": "a web page",
    "zeros": "nothing but zeros",
    "unknown": "unknown",
}


@dataclasses.dataclass(frozen=True)
class Examined:
    """What is known of one image.

    Attributes:
        path: bytes, as the user would type it.
        digest: bytes, SHA-256 of the content; None if there is none.
        findings: tuple of `Finding`.
        num_bytes: int.
        entry: `data_manifest.Entry` of a file; None of other images.
    """

    path: bytes
    digest: bytes | None
    findings: tuple
    num_bytes: int = 0
    entry: data_manifest.Entry | None = None

    @property
    def is_bad(self) -> bool:
        """Whether training would refuse or replace it."""
        return any(found.grade == finding.BAD for found in self.findings)


class Examiner:
    """Examines files by the decoder that training uses.

    Whether a file is good is the verdict of `decoding.decode`; the facts of
    its header only say why, and what is odd. Thread-safe.

    Args:
        max_pixels: int > 0. Larger images are bad.
    """

    def __init__(self, max_pixels=decoding.MAX_PIXELS):
        self.max_pixels = max_pixels

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def decode(contents):
            image = decoding.decode(contents, 3, [], max_pixels=max_pixels)
            return tf.shape(image), data_manifest.fingerprint(contents)

        self._decode = decode

    def examine_file(self, path: bytes, root: bytes) -> Examined:
        """Examines a file of a folder.

        Args:
            path: bytes, relative to `root`.
            root: bytes, the folder.
        """
        full = os.path.join(root, path)
        contents, failure = b"", None
        try:
            # Opening a pipe would wait for whoever writes to it.
            if os.path.isfile(full):
                with open(full, "rb") as file:
                    contents = file.read()
            else:
                failure = ("unreadable", "not a file")
        except OSError as error:
            failure = ("unreadable", error.strerror or str(error))
        if failure is not None:
            reasons = [failure]
            entry = data_manifest.Entry(path, findings=(failure[0],))
        else:
            entry, reasons = self._examine(contents, path)
        if not _is_utf8(path):
            reasons.append(("name_not_utf8", ""))
        return self._examined(entry, reasons, full)

    def examine_contents(self, contents: bytes, path: bytes) -> Examined:
        """Examines the bytes of an image that is no file, such as a record's.

        Args:
            contents: bytes.
            path: bytes, the image's name in messages.
        """
        entry, reasons = self._examine(contents, path)
        reasons = [r for r in reasons if r[0] != "wrong_suffix"]
        return self._examined(entry, reasons, path)

    def examine_pixels(self, image, path: bytes) -> Examined:
        """Examines an image that was decoded by its source.

        Args:
            image: uint8 [H, W, C].
            path: bytes, the image's name in messages.
        """
        shape = ",".join(str(side) for side in image.shape).encode()
        digest = hashlib.sha256(shape + b":" + image.tobytes()).digest()
        height, width = image.shape[:2]
        findings = tuple(
            finding.Finding(reason, path, detail)
            for reason, detail in _odd_size(width, height)
        )
        return Examined(path, digest, findings, image.nbytes)

    def _examined(self, entry, reasons, path):
        entry = dataclasses.replace(
            entry, findings=tuple(reason for reason, _ in reasons)
        )
        findings = tuple(
            finding.Finding(reason, path, detail) for reason, detail in reasons
        )
        digest = entry.sha256 and bytes.fromhex(entry.sha256)
        return Examined(path, digest, findings, entry.bytes, entry)

    def _examine(self, contents, path):
        facts = image_facts.facts_of(contents)
        entry = data_manifest.Entry(
            path,
            bytes=len(contents),
            type=facts.type,
            width=facts.width,
            height=facts.height,
            sha256=hashlib.sha256(contents).hexdigest(),
        )
        try:
            shape, fingerprint = self._decode(contents)
        except tf.errors.InvalidArgumentError:
            return entry, [self._why_bad(contents, facts)]
        height, width = shape.numpy()[:2].tolist()
        entry = dataclasses.replace(
            entry,
            width=width,
            height=height,
            fingerprint=int(fingerprint),
            verdict=data_manifest.GOOD,
        )
        reasons = list(_odd(facts, contents, path))
        return entry, reasons + list(_odd_size(width, height))

    def _why_bad(self, contents, facts):
        if not contents:
            return "empty", ""
        size = f"{len(contents):,} bytes"
        if facts.type not in folder_tree.SUFFIXES.values():
            what = _FOREIGN.get(facts.type, facts.type.upper())
            return "not_an_image", f"{what}, {size}"
        if facts.width and facts.height:
            size += f", {facts.width} x {facts.height}"
            if facts.width * facts.height > self.max_pixels:
                return "too_large", size
        return "truncated" if facts.end is None else "damaged", size


def _odd(facts, contents, path):
    suffix = os.path.splitext(path)[1].lower()
    if folder_tree.SUFFIXES.get(suffix) != facts.type:
        yield "wrong_suffix", f"a {facts.type.upper()} file"
    if facts.is_cmyk:
        yield "cmyk", ""
    if facts.is_16_bit:
        values = bit_depth.range_of_16_bits(contents)
        is_narrow = values is not None and bit_depth.is_narrow(values)
        yield (
            "16_bit_part" if is_narrow else "16_bit",
            (bit_depth.text(values) if is_narrow else ""),
        )
    if facts.has_alpha:
        yield "alpha", ""
    if facts.is_animated:
        yield "animated", ""
    if facts.orientation != 1:
        yield "turned", f"orientation {facts.orientation}"
    if facts.end is not None and facts.end < len(contents):
        yield "trailing_bytes", f"{len(contents) - facts.end:,} of them"


def _odd_size(width, height):
    size = f"{width} x {height}"
    if min(width, height) < _SMALLEST_SIDE:
        yield "tiny", size
    if max(width, height) > _LONGEST_RATIO * min(width, height):
        yield "long", size


def _is_utf8(path):
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
