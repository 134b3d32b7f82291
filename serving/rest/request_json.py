"""JSON requests as tensors and examples, by TensorFlow Serving's rules."""

import numpy as np
import tensorflow as tf

from serving import errors
from serving.rest import json_document
from serving.rest import limits as limits_lib
from serving.rest import tensor_json


def signature_name(document: dict) -> str:
    """Returns the signature that a request names, or "".

    Args:
        document: dict. The body.

    Raises:
        ServingError: it is no string (INVALID_ARGUMENT).
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise json_document.format_error(
            document,
            "not formatted correctly. 'signature_name' key must be a string "
            "value.",
        )
    return name


def tensors(
    document: dict, dtypes: dict[str, int]
) -> tuple[dict[str, np.ndarray], bool]:
    """Returns the tensors of a predict request.

    In rows (`instances`), each element of a list is one example of the batch;
    in columns (`inputs`), each input is a whole tensor.

    Args:
        document: dict. The body.
        dtypes: {alias: data type}, the inputs of the signature, at least one.

    Returns:
        ({alias: array}, whether the request is in rows).

    Raises:
        ServingError: it has both forms or none, inputs are missing or not of
            the signature's types, or rows have different shapes
            (INVALID_ARGUMENT); or a type has no form in JSON (UNIMPLEMENTED,
            in columns).
    """
    if "instances" in document and "inputs" in document:
        raise json_document.format_error(
            document,
            "Not formatted correctly expecting only one of 'inputs' or "
            "'instances' keys to exist ",
        )
    if "instances" in document:
        rows = document["instances"]
        if not isinstance(rows, list):
            raise json_document.format_error(
                document, "Excepting 'instances' to be an list/array"
            )
        if not rows:
            raise json_document.format_error(
                document, "No values in 'instances' array"
            )
        return _from_rows(rows, dtypes), True
    if "inputs" in document:
        return _from_columns(document["inputs"], dtypes), False
    raise errors.invalid_argument("Missing 'inputs' or 'instances' key")


def examples(document: dict, limits: limits_lib.Limits) -> list[bytes]:
    """Returns the examples of a classify or regress request.

    Features of `context` are put before those of every example.

    Args:
        document: dict. The body.
        limits: of their number, and of their size with the context.

    Returns:
        list of serialized `tf.train.Example`s, at least one.

    Raises:
        ServingError: there are none, they pass a limit, one is no object, or a
            feature mixes kinds of values (INVALID_ARGUMENT).
    """
    context = b""
    if "context" in document:
        context = _example(document["context"])
    if "examples" not in document:
        raise json_document.format_error(
            document,
            "When method is classify, key 'examples' is expected and was not "
            "found",
        )
    values = document["examples"]
    if not isinstance(values, list):
        raise json_document.format_error(
            document, "Expecting 'examples' value to be an list/array"
        )
    if not values:
        raise json_document.format_error(
            document, "'examples' value is an empty array"
        )
    limits.require_examples(len(values), context)
    # Messages one after the other are one message with the fields of both.
    return [context + _example(value) for value in values]


def _from_rows(rows, dtypes):
    if len(dtypes) > 1 and not isinstance(rows[0], dict):
        raise errors.invalid_argument(
            "instances is a plain list, but expecting list of objects as "
            "multiple input tensors required as per tensorinfo_map"
        )
    named = _is_named(rows[0])
    if not named:
        name = next(iter(dtypes))
        fast = {name: tensor_json.fast_tensor(rows, dtypes[name])}
    elif all(_is_named(row) and row.keys() == dtypes.keys() for row in rows):
        fast = {
            name: tensor_json.fast_tensor([row[name] for row in rows], dtype)
            for name, dtype in dtypes.items()
        }
    else:
        fast = {"": None}
    if all(array is not None for array in fast.values()):
        return fast
    columns = {}
    for i, row in enumerate(rows):
        if named:
            _add_named_row(columns, i, row, dtypes)
        elif _is_named(row):
            raise errors.invalid_argument(
                f"Expecting value/list but got object at item {i} of input list"
            )
        else:
            try:
                _add_value(columns, name, row, dtypes)
            except errors.ServingError as error:
                raise errors.invalid_argument(
                    f"Failed to process element: {i} of 'instances' list. "
                    f"Error: {error}"
                ) from error
    return {name: np.stack(arrays) for name, arrays in columns.items()}


def _add_named_row(columns, i, row, dtypes):
    if not _is_named(row):
        raise errors.invalid_argument(
            f"Expecting object but got list at item {i} of input list"
        )
    for name, value in row.items():
        try:
            _add_value(columns, name, value, dtypes)
        except errors.ServingError as error:
            raise errors.invalid_argument(
                f"Failed to process element: {i} key: {name} of 'instances' "
                f"list. Error: {error}"
            ) from error
    if row.keys() != dtypes.keys():
        raise errors.invalid_argument(
            f"Failed to process element: {i} of 'instances' list. JSON "
            f"object: {json_document.show(row)} keys must be equal to: "
            f"{','.join(sorted(dtypes))}"
        )


def _add_value(columns, name, value, dtypes):
    if name not in dtypes:
        raise errors.invalid_argument(
            f"JSON object: does not have named input: {name}"
        )
    array = tensor_json.tensor(value, dtypes[name])
    column = columns.setdefault(name, [])
    column.append(array)
    first = column[0]
    if array.size != first.size:
        raise errors.invalid_argument(
            f"Expecting tensor size: {first.size} but got: {array.size}"
        )
    if array.shape != first.shape:
        raise errors.invalid_argument(
            f"Expecting shape {_shape(first)} but got: {_shape(array)}"
        )


def _from_columns(value, dtypes):
    if not _is_named(value):
        if len(dtypes) > 1:
            raise errors.invalid_argument(
                "inputs is a plain value/list, but expecting an object as "
                "multiple input tensors required as per tensorinfo_map"
            )
        ((name, dtype),) = dtypes.items()
        return {name: tensor_json.tensor(value, dtype)}
    for name in dtypes:
        if name not in value:
            raise errors.invalid_argument(
                f"Missing named input: {name} in 'inputs' object."
            )
    return {
        name: tensor_json.tensor(value[name], dtype)
        for name, dtype in dtypes.items()
    }


def _is_named(value):
    return isinstance(value, dict) and not tensor_json.is_base64(value)


def _example(value):
    if not isinstance(value, dict):
        raise errors.invalid_argument(
            "Example must be JSON object but got JSON ",
            json_document.type_name(value),
        )
    example = tf.train.Example()
    for name, content in value.items():
        feature = tf.train.Feature()
        elements = content if isinstance(content, list) else [content]
        for element in elements:
            _add_to_feature(feature, name, element)
        key = tensor_json.encode(name).decode("utf-8", "replace")
        example.features.feature[key].CopyFrom(feature)
    return example.SerializeToString()


def _add_to_feature(feature, name, value):
    if isinstance(value, str):
        values = _values(feature, name, "bytes_list")
        values.append(tensor_json.encode(value))
    elif tensor_json.is_base64(value):
        values = _values(feature, name, "bytes_list")
        values.append(tensor_json.decode_base64(value))
    elif isinstance(value, bool):
        _values(feature, name, "int64_list").append(int(value))
    elif isinstance(value, int) and -(2**63) <= value < 2**64:
        values = _values(feature, name, "int64_list")
        if value >= 2**63:
            raise errors.invalid_argument(
                f"Feature: {name} has uint64 element. Only int64 is supported."
            )
        values.append(value)
    elif isinstance(value, int | float):
        values = _values(feature, name, "float_list")
        if not tensor_json.lossless(value, "float32"):
            raise tensor_json.lossy_error(value, "float")
        values.append(value)
    else:
        raise errors.invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: ",
            json_document.type_name(value),
        )


def _values(feature, name, kind):
    kind_before = feature.WhichOneof("kind")
    if kind_before not in (None, kind):
        raise errors.invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{kind_before.removesuffix('_list')}"
        )
    return getattr(feature, kind).value


def _shape(array):
    return f"[{','.join(map(str, array.shape))}]"
