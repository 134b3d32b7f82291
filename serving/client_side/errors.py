"""The error of a request to a server."""

# What HTTP makes of the codes that TensorFlow Serving and gRPC know; where
# several become one, the first of them is what servers mean most often.
_OF_HTTP = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RequestError(Exception):
    """A request that a server refused, or did not answer.

    Args:
        code: str. Name of a gRPC code, over REST too.
        message: str. The server's sentence.
        retry_after_seconds: float or None. When the server wants to be asked
            again.
        index: int or None. Position in the call of the image at fault, from
            0; None: the request as a whole is, whatever the image.
        image: str. What that image is called, such as "photo.jpg".

    Attributes:
        code, message, retry_after_seconds, index, image: the arguments.
    """

    def __init__(
        self, code, message, retry_after_seconds=None, index=None, image=""
    ):
        where = "" if index is None else f"image {index}"
        if where and image:
            where += f" ({image})"
        super().__init__(f"{where}: {message}" if where else message)
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.index = index
        self.image = image

    def of_image(self, index: int, image: str) -> "RequestError":
        """Returns the same, of one image."""
        return RequestError(
            self.code, self.message, self.retry_after_seconds, index, image
        )


def code_of_http(status: int) -> str:
    """Returns the gRPC code for a status of HTTP."""
    return _OF_HTTP.get(status, "UNKNOWN")
