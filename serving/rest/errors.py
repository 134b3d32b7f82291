"""Errors as HTTP: TensorFlow Serving's status for each of its codes."""

import json

from serving import errors

HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}


class RefusedBodyError(Exception):
    """A body that is not read to its end; TensorFlow Serving has no such rule.

    Args:
        status: int. Of HTTP.
        message: str.
    """

    def __init__(self, status, message):
        super().__init__(status, message)
        self.status = status
        self.message = message


def status_of(error: errors.ServingError) -> int:
    """Returns the HTTP status of an error."""
    return HTTP_STATUS[error.code]


def body(message: str) -> bytes:
    """Returns the JSON body of an error: `{"error": message}`."""
    text = json.dumps({"error": message}, indent=4, ensure_ascii=False)
    # Bytes of a request that are no UTF-8 go back as replacement characters.
    return text.encode("utf-8", "replace") + b"\n"
