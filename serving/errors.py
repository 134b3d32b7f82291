"""The one error of the contract: a code of TensorFlow's and a sentence."""

# By number, as in tensorflow/core/protobuf/error_codes.proto.
CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


class ServingError(Exception):
    """What a client is told, whichever way the request came.

    `str` of it is "CODE: message", as `absl::Status` writes itself.

    Args:
        code: str. One of `CODES`, not "OK".
        message: str. A sentence for the client, without a trace.

    Raises:
        ValueError: there is no such code.
    """

    def __init__(self, code, message):
        if code not in CODES[1:]:
            raise ValueError(
                f"`code` must be one of {', '.join(CODES[1:])}. "
                f"Received: {code!r}."
            )
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self):
        return f"{self.code}: {self.message}"


def invalid_argument(*parts: object) -> ServingError:
    """Returns the error of a bad request; `parts` are joined as they are."""
    return ServingError("INVALID_ARGUMENT", "".join(map(str, parts)))


def from_tensorflow(error: Exception) -> ServingError:
    """Returns what a client is told of an error of the session.

    Args:
        error: `tf.errors.OpError`. TensorFlow may append where in Python an
            operation was made: that is cut off, the rest is as TensorFlow
            Serving sends it.
    """
    message = error.message
    for mark in ("\n\nOriginal stack trace", "\nDetected at node", "\nErrors "):
        message = message.partition(mark)[0]
    return ServingError(CODES[error.error_code], message)
