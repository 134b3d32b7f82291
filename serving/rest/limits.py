"""What a request may cost."""

import dataclasses

from serving import errors


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of a request, over REST and gRPC. TensorFlow Serving has none.

    Attributes:
        max_body_bytes: int. Of a body, also once inflated. Default 16 MiB.
        max_held_bytes: int. Of the bodies of all HTTP requests together, as
            they arrive and until they are answered. Default 256 MiB.
        max_batch: int. Examples of a request. Default 64.
        max_json_depth: int. Brackets within each other. Default 32: a tensor
            of NumPy has as many dimensions at most.
        body_timeout_seconds: float. For a body to arrive. Default 15.

    Raises:
        ValueError: `max_held_bytes` is less than `max_body_bytes`.
    """

    max_body_bytes: int = 16 * 2**20
    max_held_bytes: int = 256 * 2**20
    max_batch: int = 64
    max_json_depth: int = 32
    body_timeout_seconds: float = 15.0

    def __post_init__(self):
        if self.max_held_bytes < self.max_body_bytes:
            raise ValueError(
                "`max_held_bytes` must be at least `max_body_bytes`. Received: "
                f"max_held_bytes={self.max_held_bytes}, "
                f"max_body_bytes={self.max_body_bytes}."
            )

    def require_batch(self, size: int) -> None:
        """Refuses more examples than a request may hold.

        Raises:
            ServingError: `size` is larger (INVALID_ARGUMENT).
        """
        if size > self.max_batch:
            raise errors.invalid_argument(
                f"A request may hold {self.max_batch} examples, the limit of "
                f"this server, but has {size}"
            )

    def require_examples(self, size: int, context: bytes) -> None:
        """Refuses examples that would not fit once they have their context.

        Each gets a copy of it, so that few bytes may become very many.

        Args:
            size: int. Number of examples.
            context: bytes. What comes before each of them.

        Raises:
            ServingError: they are too many or too large (INVALID_ARGUMENT).
        """
        self.require_batch(size)
        if size * len(context) > self.max_body_bytes:
            raise errors.invalid_argument(
                f"The context of {len(context)} bytes, once for each of {size} "
                f"examples, is larger than {self.max_body_bytes} bytes, the "
                "server's limit"
            )
