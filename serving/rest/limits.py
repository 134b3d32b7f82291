"""What a request may cost."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of the REST API. TensorFlow Serving has none of these.

    Attributes:
        max_body_bytes: int. Of a body, also once inflated. Default 16 MiB.
        max_batch: int. Examples of a request. Default 64.
        max_json_depth: int. Brackets within each other. Default 32: a tensor
            of NumPy has as many dimensions at most.
        body_timeout_seconds: float. For a body to arrive. Default 15.
    """

    max_body_bytes: int = 16 * 2**20
    max_batch: int = 64
    max_json_depth: int = 32
    body_timeout_seconds: float = 15.0
