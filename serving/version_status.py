"""How a version of a model is doing, in TensorFlow Serving's words."""

import dataclasses

from serving import errors

START = "START"
LOADING = "LOADING"
AVAILABLE = "AVAILABLE"
UNLOADING = "UNLOADING"
END = "END"


@dataclasses.dataclass
class VersionStatus:
    """How a version is doing.

    Attributes:
        version: int.
        state: str. One of the constants of this module.
        error: `ServingError` of the last attempt to load it, or None.
    """

    version: int
    state: str = START
    error: errors.ServingError | None = None
