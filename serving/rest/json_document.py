"""Reads a JSON body as TensorFlow Serving does, in bounded depth.

TensorFlow Serving reads with RapidJSON: `NaN` and `Infinity` are numbers, what
follows the object is ignored, strings may hold bytes that are no UTF-8.
"""

import json
import re

import numpy as np

from serving import errors

# Longer values are cut in messages; TensorFlow Serving sends them whole.
_MAX_CHARACTERS = 1000
# What RapidJSON says where Python's reader says otherwise. Commas depend on
# what they stand in.
_MESSAGES = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": (
        "Missing a name for object member."
    ),
    "Expecting ':' delimiter": (
        "Missing a colon after a name of object member."
    ),
    "Unterminated string starting at": (
        "Missing a closing quotation mark in string."
    ),
    "Invalid control character at": "Invalid encoding in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\escape: ": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
}
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{")] = 1
_STEP[list(b"]}")] = -1
_NO_STRUCTURE = bytes(sorted(set(range(256)) - set(b'[]{}"')))
_WHITESPACE = " \t\n\r"

# As a Python number: NumPy 2 would compare in float32.
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def parse(body: bytes, max_depth: int) -> dict:
    """Returns the object that a body holds.

    Args:
        body: bytes. JSON; bytes that are no UTF-8 become lone surrogates
            ("surrogateescape"), and so can be told again.
        max_depth: int >= 1. Of brackets within each other.

    Raises:
        ServingError: it is no JSON, no object, or deeper (INVALID_ARGUMENT).
    """
    if not body:
        raise errors.invalid_argument("JSON Parse error: The document is empty")
    body = body.removeprefix(b"\xef\xbb\xbf")
    if depth(body) > max_depth:
        raise errors.invalid_argument(
            "JSON Parse error: Arrays and objects are nested deeper than "
            f"{max_depth} levels, the limit of this server"
        )
    text = body.decode("utf-8", "surrogateescape")
    start = len(text) - len(text.lstrip(_WHITESPACE))
    if start == len(text):
        raise _parse_error("The document is empty.", len(body))
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise _parse_error(_message(error, body[:offset]), offset) from error
    except (ValueError, RecursionError) as error:
        # An integer of thousands of digits.
        raise _parse_error(
            "Number too big to be stored in double.", 0
        ) from error
    if not isinstance(value, dict):
        raise format_error(value, "Is not object")
    return value


def depth(body: bytes) -> int:
    """Returns how deep the brackets of a JSON text lie in each other."""
    # int8 steps add up in int32: a body has fewer than 2**31 bytes.
    steps = _STEP[np.frombuffer(_brackets(body), np.uint8)]
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))


def show(value: object) -> str:
    """Returns a JSON value as it stands in messages, cut where it is long."""
    if isinstance(value, float):
        is_float32 = abs(value) <= _LARGEST_FLOAT32
        return number(np.float32(value) if is_float32 else np.float64(value))
    text = ""
    # Piece by piece: a body may be long, and only its beginning is shown.
    for piece in json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(
        value
    ):
        text += piece
        if len(text) > _MAX_CHARACTERS:
            return f"{text[:_MAX_CHARACTERS]}..."
    return text


def number(value: np.floating) -> str:
    """Returns a float as JSON, the shortest text that reads back the same."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "-Infinity" if value < 0 else "Infinity"
    return str(value)


def type_name(value: object) -> str:
    """Returns RapidJSON's name for the type of a JSON value."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "True" if value else "False"
    names = {dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")


def format_error(value: object, message: str) -> errors.ServingError:
    """Returns the error of a value that is not of the form expected."""
    return errors.invalid_argument(f"JSON Value: {show(value)} {message}")


def _brackets(body):
    # Strings may hold brackets, and escaped quotes.
    if b"\\" in body:
        body = re.sub(rb"\\.", b"", body, flags=re.DOTALL)
    structure = body.translate(None, _NO_STRUCTURE)
    return re.sub(rb'"[^"]*"?', b"", structure)


def _message(error, before):
    known = _MESSAGES.get(error.msg)
    if known is not None:
        return known
    if error.msg == "Expecting ',' delimiter":
        if _innermost(before) == "{":
            return "Missing a comma or } after an object member."
        return "Missing a comma or ] after an array element."
    return f"{error.msg}."


def _innermost(before):
    open_brackets = []
    for bracket in _brackets(before).decode("ascii"):
        if bracket in "[{":
            open_brackets.append(bracket)
        elif open_brackets:
            open_brackets.pop()
    return open_brackets[-1] if open_brackets else ""


def _parse_error(message, offset):
    return errors.invalid_argument(
        f"JSON Parse error: {message} at offset: {offset}"
    )
