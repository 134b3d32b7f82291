"""Tells a client that it has sent text where a model reads a file."""

import base64
import contextlib
import re

import tensorflow as tf
from google.protobuf import message as protobuf_message

from serving import errors
from serving import examples
from serving import image_header

# Of a signature that takes serialized `tf.train.Example`s.
_EXAMPLES = "inputs"
# An input of files, by the contract's own rule for names.
_OF_FILES = "_bytes"
_DATA_URL = re.compile(rb"\s*data:[\w/+.-]*;base64,")
_BASE64 = re.compile(rb"[\sA-Za-z0-9+/_=-]+")
_NUM_SEEN = 200  # bytes of a string; as many as tell what it is
_NUM_SHOWN = 20
_SHORTEST = 40  # characters, of the smallest image as base64
_NODES = re.compile(r"\s*\[\[\{\{.*", re.DOTALL)
_RULE = (
    'In JSON, the bytes of a file are written {"b64": "..."}, with their '
    "base64 between the quotes; over gRPC they are sent as they are"
)


@contextlib.contextmanager
def explained(inputs):
    """Says in words what is wrong when a run fails for text it was given.

    JSON has no bytes: base64 that is sent as a plain string reaches the model
    as text. So does what is encoded twice, or over gRPC at all, and the name
    of a file. What a model answers without an error is left as it is.

    Args:
        inputs: {alias: array}, of the run in the context.

    Raises:
        ServingError: that of the run; with such text it says so first, and
            names no nodes of the graph.
    """
    try:
        yield
    except errors.ServingError as error:
        found = None
        if error.code == "INVALID_ARGUMENT":
            found = _find(inputs)
        if found is None:
            raise
        why = _NODES.sub("", error.message).rstrip(".")
        raise errors.ServingError(
            error.code, f"{found}. {_RULE}. The model says: {why}"
        ) from error


def _find(inputs):
    """Returns a sentence about the first such text, or None."""
    for alias, array in sorted(inputs.items()):
        if array.dtype != object:
            continue
        for number, content in enumerate(array.reshape(-1).tolist()):
            for name, file in _files(alias, content):
                kind = _kind(file, name)
                if kind is not None:
                    shown = file[:_NUM_SHOWN].decode("ascii", "replace")
                    return (
                        f"Example {number} of {name} is {kind}, {shown!r}..., "
                        "where the bytes of a file are wanted"
                    )
    return None


def _files(alias, content):
    """Yields (name, bytes) of what may be a file."""
    if alias != _EXAMPLES:
        yield alias, content
        return
    with contextlib.suppress(protobuf_message.DecodeError):
        example = tf.train.Example.FromString(content)
        for name, feature in sorted(example.features.feature.items()):
            for value in feature.bytes_list.value:
                yield name, value


def _kind(content, name):
    """Returns what a string is instead of a file, or None."""
    begin = content[:_NUM_SEEN].strip()
    url = _DATA_URL.match(begin)
    if url or _is_image_as_base64(begin):
        return "base64 as text"
    is_for_files = name.endswith(_OF_FILES) or name == examples.EXAMPLE_FEATURE
    if is_for_files and begin.isascii() and begin.decode().isprintable():
        return "text" if begin else None
    return None


def _is_image_as_base64(begin):
    if len(begin) < _SHORTEST or not _BASE64.fullmatch(begin):
        return False
    text = b"".join(begin.split()).rstrip(b"=")
    text = text.replace(b"-", b"+").replace(b"_", b"/")
    return image_header.is_image(base64.b64decode(text[: len(text) // 4 * 4]))
