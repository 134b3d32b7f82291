"""Tensors, classes, numbers and states as JSON, as TensorFlow Serving's."""

import base64
import json

import numpy as np
import orjson
from google import protobuf
from google.protobuf import json_format

from serving import errors
from serving.rest import json_document

# What JSON has a form for; TensorFlow Serving writes no half or bfloat16.
_DTYPES = {
    *("bool", "object", "float32", "float64"),
    *("int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
}
# Fields without a value are shown as well; protobuf 5 gave the option its name
# of today.
_ALL_FIELDS = {
    "including_default_value_fields"
    if protobuf.__version__.startswith("4.")
    else "always_print_fields_with_no_presence": True
}


def predictions(outputs: dict[str, np.ndarray]) -> bytes:
    """Returns the answer to a request in rows: one value an example.

    Args:
        outputs: {alias: array}. An object with a key for each where there is
            more than one.

    Raises:
        ServingError: an output has no batch dimension, or one of another
            length, or a type without a form in JSON (INVALID_ARGUMENT).
    """
    batch_size = None
    for name, array in sorted(outputs.items()):
        if array.ndim == 0:
            raise errors.invalid_argument(
                f"Tensor name: {name} has no shape information "
            )
        if batch_size not in (None, array.shape[0]):
            raise errors.invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: "
                f"{array.shape[0]} expecting: {batch_size}"
            )
        batch_size = array.shape[0]
    if batch_size is None:
        raise errors.invalid_argument("Cannot convert empty tensor map to JSON")
    columns = {
        name: [_tensor(name, row) for row in _rows(array)]
        for name, array in sorted(outputs.items())
    }
    if len(columns) == 1:
        (rows,) = columns.values()
    else:
        rows = [
            _object(dict(zip(columns, values, strict=True)))
            for values in zip(*columns.values(), strict=True)
        ]
    return _document("predictions", b"[" + b", ".join(rows) + b"]")


def outputs(arrays: dict[str, np.ndarray]) -> bytes:
    """Returns the answer to a request in columns: one value an output.

    Args:
        arrays: {alias: array}. An object with a key for each where there is
            more than one.

    Raises:
        ServingError: a type has no form in JSON (INVALID_ARGUMENT).
    """
    if not arrays:
        raise errors.invalid_argument("Cannot convert empty tensor map to JSON")
    written = {
        name: _tensor(name, array) for name, array in sorted(arrays.items())
    }
    if len(written) == 1:
        (value,) = written.values()
    else:
        value = _object(written)
    return _document("outputs", value)


def classes(results: list[list[tuple[bytes, np.float32]]]) -> bytes:
    """Returns the answer to classify: `[[label, score], ...]` an example."""
    rows = [
        b"["
        + b", ".join(
            b"[" + _string(label) + b", " + _number(score) + b"]"
            for label, score in row
        )
        + b"]"
        for row in results
    ]
    return _document("results", b"[" + b", ".join(rows) + b"]")


def regressions(values: np.ndarray) -> bytes:
    """Returns the answer to regress: a number an example."""
    return _document("results", _tensor("outputs", values))


def statuses(versions: list) -> bytes:
    """Returns the answer to a request for the state of versions.

    Args:
        versions: list of `VersionStatus`.
    """
    return _pretty(
        {
            "model_version_status": [
                {
                    "version": str(status.version),
                    "state": status.state,
                    "status": {
                        "error_code": status.error.code
                        if status.error
                        else "OK",
                        "error_message": status.error.message
                        if status.error
                        else "",
                    },
                }
                for status in versions
            ]
        }
    )


def metadata(name: str, version: int, signatures: dict) -> bytes:
    """Returns the answer to a request for a model's signatures.

    Args:
        name: str. Of the model.
        version: int.
        signatures: {name: `SignatureDef`}.
    """
    return _pretty(
        {
            "model_spec": {
                "name": name,
                "signature_name": "",
                "version": str(version),
            },
            "metadata": {
                "signature_def": {
                    "signature_def": {
                        key: json_format.MessageToDict(
                            signature,
                            preserving_proto_field_name=True,
                            **_ALL_FIELDS,
                        )
                        for key, signature in sorted(signatures.items())
                    }
                }
            },
        }
    )


def _rows(array):
    # Arrays of NumPy, also of one dimension: no scalars.
    return [
        array[i : i + 1].reshape(array.shape[1:]) for i in range(len(array))
    ]


def _tensor(name, array):
    if array.dtype.name not in _DTYPES:
        names = {"float16": "half"}
        raise errors.invalid_argument(
            "Failed to write JSON value for tensor type: "
            f"{names.get(array.dtype.name, array.dtype.name)}"
        )
    if array.dtype == object:
        write = _base64 if name.endswith("_bytes") else _string
        return _nested(array, write)
    is_float = array.dtype.kind == "f"
    if array.ndim == 0 or (is_float and not np.all(np.isfinite(array))):
        # orjson would write null for what is not finite.
        return _nested(array, _number)
    return orjson.dumps(
        np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY
    )


def _nested(array, write):
    if array.ndim == 0:
        return write(array[()])
    return b"[" + b", ".join(_nested(row, write) for row in _rows(array)) + b"]"


def _number(value):
    if isinstance(value, np.floating):
        return json_document.number(value).encode()
    return json.dumps(value.item()).encode()


def _string(value):
    # Bytes that are no UTF-8 go out as they are, as TensorFlow Serving's.
    text = value.decode("utf-8", "surrogateescape")
    return json.dumps(text, ensure_ascii=False).encode(
        "utf-8", "surrogateescape"
    )


def _base64(value):
    return b'{"b64": "' + base64.b64encode(value) + b'"}'


def _object(values):
    return (
        b"{"
        + b", ".join(
            json.dumps(name).encode() + b": " + value
            for name, value in values.items()
        )
        + b"}"
    )


def _document(key, value):
    return b'{\n    "' + key.encode() + b'": ' + value + b"\n}\n"


def _pretty(value):
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return text.encode("utf-8", "replace") + b"\n"
