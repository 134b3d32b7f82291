"""An engine that refuses images of too many pixels before it decodes them."""

import json
import pathlib

import tensorflow as tf
from google.protobuf import message as protobuf_message

from serving import errors
from serving import examples
from serving import image_header

_MANIFEST = "manifest.json"
_FORMAT = "tf_simmim export"
# Of a signature that takes serialized `tf.train.Example`s.
_EXAMPLES = "inputs"


def of_export(folder) -> int | None:
    """Returns the pixels that an image for an export may have.

    Args:
        folder: of a version.

    Returns:
        int, out of its manifest; None where it is no export of tf_simmim.
    """
    try:
        text = (pathlib.Path(folder) / _MANIFEST).read_text(encoding="utf-8")
        manifest = json.loads(text)
        if manifest["format"] != _FORMAT:
            return None
        return int(manifest["input"]["max_pixels"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


class PixelLimit:
    """Runs signatures as another engine does, on images that are not too large.

    The graph of an export refuses them too, by the same header; but there, a
    batch has been made of them, and fails.

    Attributes:
        signatures: those of the engine.

    Args:
        engine: with `signatures`, `run` and `close`.
        max_pixels: int. Width times height of an image.
    """

    def __init__(self, engine, max_pixels):
        self.signatures = engine.signatures
        self._engine = engine
        self._max_pixels = max_pixels
        self._strings = {
            name: [
                alias
                for alias, info in signature.inputs.items()
                if info.dtype == tf.string.as_datatype_enum
            ]
            for name, signature in engine.signatures.items()
        }

    def run(self, signature_name, inputs):
        """Runs one signature, as of `SavedModelEngine`.

        Raises:
            ServingError: as there; or an image has too many pixels
                (INVALID_ARGUMENT).
        """
        for alias in self._strings[signature_name]:
            array = inputs[alias]
            if array.dtype == object and self._has_rank(
                array, signature_name, alias
            ):
                for content in array.reshape(-1).tolist():
                    self._check(alias, content)
        return self._engine.run(signature_name, inputs)

    def close(self):
        """Frees the engine."""
        self._engine.close()

    def _has_rank(self, array, signature_name, alias):
        # Of any other, which may be of millions of strings, the graph says it.
        shape = self.signatures[signature_name].inputs[alias].tensor_shape
        return shape.unknown_rank or array.ndim == len(shape.dim)

    def _check(self, alias, content):
        for file in _files(alias, content):
            width, height = image_header.size_of(file) or (0, 0)
            if width * height > self._max_pixels:
                raise errors.invalid_argument(
                    f"An image of {width} x {height} pixels is larger than "
                    f"{self._max_pixels} pixels, the limit of this model"
                )


def _files(alias, content):
    if alias != _EXAMPLES:
        return [content]
    try:
        example = tf.train.Example.FromString(content)
    except protobuf_message.DecodeError:
        # The model says so itself.
        return []
    feature = example.features.feature.get(examples.EXAMPLE_FEATURE)
    return feature.bytes_list.value if feature else []
