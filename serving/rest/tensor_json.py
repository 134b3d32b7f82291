"""JSON values as tensors, by TensorFlow Serving's rules and in its words."""

import base64
import re

import numpy as np
import tensorflow as tf

from serving import errors
from serving.rest import json_document

# Integers that JSON gives to each type. RapidJSON knows no smaller ones than
# int32: those are cut to the type's width afterwards.
_INT32 = (-(2**31), 2**31 - 1)
_RANGES = {
    "int8": _INT32,
    "int16": _INT32,
    "int32": _INT32,
    "int64": (-(2**63), 2**63 - 1),
    "uint8": _INT32,
    "uint16": _INT32,
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
# The largest integer below which a float holds every integer.
_EXACT = {"float32": 2**24 - 1, "float64": 2**53 - 1}
# The largest finite one, as a Python number: NumPy 2 would compare in float32.
_LARGEST = {name: float(np.finfo(name).max) for name in _EXACT}
_NAMES = {"float32": "float", "float64": "double", "float16": "half"}
_SPACES = re.compile("[ \\t\\n\\v\\f\\r]+")


def tensor(value: object, dtype: int) -> np.ndarray:
    """Returns a JSON value as an array.

    Its shape is that of the first elements: of the value, of its first
    element, and so on.

    Args:
        value: number, string, bool, `{"b64": ...}`, or lists of them within
            each other.
        dtype: int. A `tf.DType.as_datatype_enum`.

    Returns:
        array of that type; strings are bytes (dtype object).

    Raises:
        ServingError: lists of different lengths or depths, a value of another
            type or too large (INVALID_ARGUMENT), or a type that has no form
            in JSON (UNIMPLEMENTED).
    """
    data_type = tf.as_dtype(dtype)
    array = fast_tensor(value, dtype)
    if array is not None:
        return array
    shape = _shape(value)
    flat = []
    _fill(value, 0, shape, data_type, flat)
    return _array(flat, data_type).reshape(shape)


def is_base64(value: object) -> bool:
    """Whether a JSON value stands for bytes: `{"b64": "..."}`."""
    return (
        isinstance(value, dict)
        and len(value) == 1
        and isinstance(value.get("b64"), str)
    )


def decode_base64(value: object) -> bytes:
    """Returns the bytes that `{"b64": "..."}` stands for.

    Raises:
        ServingError: it is another value, or no base64 (INVALID_ARGUMENT).
    """
    if not is_base64(value):
        raise json_document.format_error(
            value, "not formatted correctly for base64 data"
        )
    # As the server: padding may be left out, white space is skipped.
    text = _SPACES.sub("", value["b64"])
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise errors.invalid_argument("Unable to base64 decode") from error


def encode(text: str) -> bytes:
    """Returns the bytes of a JSON string.

    Raises:
        ServingError: half of a surrogate pair is missing (INVALID_ARGUMENT).
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise errors.invalid_argument(
            "JSON Parse error: The surrogate pair in string is invalid."
        ) from error


def lossless(value: int | float, dtype: str) -> bool:
    """Whether a float type holds a JSON number without loss of precision.

    Args:
        value: int or float. An integer that no 64 bits hold counts as float.
        dtype: "float32" or "float64".
    """
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return abs(value) <= _EXACT[dtype]
    try:
        value = float(value)
    except OverflowError:
        return False
    return not np.isfinite(value) or abs(value) <= _LARGEST[dtype]


def lossy_error(value: object, target: str) -> errors.ServingError:
    """Returns the error of a number that a type does not hold."""
    return errors.invalid_argument(
        f"Cannot convert JSON value: {json_document.show(value)} to {target} "
        "without loss of precision."
    )


def fast_tensor(value: object, dtype: int) -> np.ndarray | None:
    """Returns what `tensor` does, or None where the quick way is not sure to.

    Args:
        value: as of `tensor`.
        dtype: int, as of `tensor`.
    """
    name = tf.as_dtype(dtype).name
    if not isinstance(value, list) or name not in (*_RANGES, *_EXACT):
        return None
    if not _holds_numbers(value):
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    if name in _RANGES:
        low, high = _RANGES[name]
        if array.dtype.kind not in "iu" or not (
            int(array.min()) >= low and int(array.max()) <= high
        ):
            return None
    elif array.dtype.kind not in "iuf" or np.any(
        np.abs(array.astype(np.float64)) > _EXACT[name]
    ):
        return None
    return array.astype(tf.as_dtype(dtype).as_numpy_dtype)


def _holds_numbers(value):
    """Whether lists hold int and float alone, and at least one.

    NumPy would take True for 1, and give each of many strings the room of the
    longest.
    """
    if not isinstance(value, list) or not value:
        return False
    if isinstance(value[0], list):
        return all(map(_holds_numbers, value))
    return {int, float}.issuperset(map(type, value))


def _shape(value):
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _fill(value, level, shape, dtype, flat):
    if not isinstance(value, list):
        if level != len(shape):
            raise json_document.format_error(
                value,
                f"found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}",
            )
        flat.append(_scalar(value, dtype))
        return
    if level >= len(shape):
        raise errors.invalid_argument(
            f"Encountered list at unexpected level: {level} "
            f"expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise errors.invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: "
            f"{level} expected size: {shape[level]}"
        )
    for element in value:
        _fill(element, level + 1, shape, dtype, flat)


def _scalar(value, dtype):
    name = dtype.name
    if name == "string":
        if isinstance(value, dict):
            return decode_base64(value)
        if not isinstance(value, str):
            raise _type_error(value, dtype)
        return encode(value)
    if isinstance(value, dict):
        raise _type_error(value, dtype)
    is_number = type(value) in (int, float)
    if name in _EXACT:
        if not is_number:
            raise _type_error(value, dtype)
        if not lossless(value, name):
            raise lossy_error(value, _NAMES[name])
        return value
    if name in _RANGES:
        low, high = _RANGES[name]
        if type(value) is not int or not low <= value <= high:
            raise _type_error(value, dtype)
        return value
    if name == "bool":
        if not isinstance(value, bool):
            raise _type_error(value, dtype)
        return value
    raise errors.ServingError(
        "UNIMPLEMENTED",
        f"Conversion of JSON Value: {json_document.show(value)} to type: "
        f"{_NAMES.get(name, name)}",
    )


def _array(flat, dtype):
    if dtype == tf.string:
        array = np.empty(len(flat), dtype=object)
        array[:] = flat
        return array
    # By way of the type that JSON is read into, so that more bits are cut.
    wide = {"uint64": np.uint64, "bool": np.bool_}.get(dtype.name)
    if wide is None:
        wide = np.float64 if dtype.is_floating else np.int64
    return np.array(flat, dtype=wide).astype(dtype.as_numpy_dtype)


def _type_error(value, dtype):
    return json_document.format_error(
        value,
        f"Type: {json_document.type_name(value)} is not of expected type: "
        f"{_NAMES.get(dtype.name, dtype.name)}",
    )
