"""Tensors as messages: any form in, typed fields out."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving import errors

# What a string takes beside its characters, as an object of Python.
_STRING_BYTES = 40
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "bool": "bool_val",
    "int8": "int_val",
    "int16": "int_val",
    "int32": "int_val",
    "uint8": "int_val",
    "uint16": "int_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
}


def parse(alias: str, message, max_bytes: int) -> np.ndarray:
    """Returns a `TensorProto` as an array.

    Args:
        alias: str. Of the input.
        message: `TensorProto`.
        max_bytes: int. Of the array: a message of some bytes may claim any
            shape, since one value stands for all.

    Raises:
        ServingError: it is no tensor, or larger (INVALID_ARGUMENT).
    """
    sizes = [dim.size for dim in message.tensor_shape.dim]
    try:
        dtype = tf.as_dtype(message.dtype)
        if message.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
            raise ValueError("The shape is not known.")
        if _num_bytes(message, dtype, math.prod(sizes)) > max_bytes:
            raise errors.invalid_argument(
                f"Input {alias} is larger than {max_bytes} bytes, the "
                "server's limit"
            )
        if dtype == tf.string and not message.string_val:
            # `make_ndarray` would fill it with text, the server does with
            # bytes.
            return np.full(sizes, b"", object)
        return tf.make_ndarray(message)
    # NumPy 2 refuses an integer that its type does not hold.
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise errors.invalid_argument(
            f"tensor parsing error: {alias}"
        ) from error


def _num_bytes(message, dtype, num_values):
    if dtype != tf.string:
        return num_values * dtype.size
    given = [_STRING_BYTES + len(each) for each in message.string_val]
    given = given or [_STRING_BYTES]
    # The last one stands for all that are not there.
    return sum(given) + max(0, num_values - len(given)) * given[-1]


def write(array: np.ndarray, message: tensor_pb2.TensorProto) -> None:
    """Writes an array into the typed fields of a `TensorProto`.

    As TensorFlow Serving does unless told otherwise; `tf.make_tensor_proto`
    would write `tensor_content`, which some clients do not read.

    Args:
        array: array of any data type of the session.
        message: empty `TensorProto`.
    """
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    message.dtype = dtype.as_datatype_enum
    message.tensor_shape.SetInParent()
    for size in array.shape:
        message.tensor_shape.dim.add(size=size)
    flat = array.reshape(-1)
    if dtype == tf.string:
        message.string_val.extend(flat.tolist())
    elif dtype in (tf.float16, tf.bfloat16):
        message.half_val.extend(flat.view(np.uint16).tolist())
    else:
        if dtype.is_complex:
            flat = flat.view(dtype.real_dtype.as_numpy_dtype)
        getattr(message, _FIELDS[dtype.name]).extend(flat.tolist())
