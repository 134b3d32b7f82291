"""How requests are gathered into batches: TensorFlow Serving's file for it."""

import dataclasses
import os
import pathlib

from serving import errors
from serving import text_messages

# Beside `saved_model.pb`; `tf_simmim.export` writes it.
FILE_NAME = "batching_params.pbtxt"
_MESSAGE = text_messages.message_class(
    "BatchingParameters",
    {
        "BatchingParameters": {
            "max_batch_size": (1, "Int64Value"),
            "batch_timeout_micros": (2, "Int64Value"),
            "max_enqueued_batches": (3, "Int64Value"),
            "num_batch_threads": (4, "Int64Value"),
            "thread_pool_name": (5, "StringValue"),
            "allowed_batch_sizes": (6, "repeated int64"),
            "pad_variable_length_inputs": (7, "bool"),
            "enable_large_batch_splitting": (8, "BoolValue"),
            "max_execution_batch_size": (9, "Int64Value"),
        }
    },
)
_AT_LEAST = {
    "max_batch_size": 1,
    "batch_timeout_micros": 0,
    "max_enqueued_batches": 1,
    "num_batch_threads": 1,
    "max_execution_batch_size": 1,
}


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """A BatchingParameters message with TensorFlow Serving's defaults.

    Attributes:
        max_batch_size: int >= 1. Examples of a request. Default 1000.
        batch_timeout_micros: int >= 0, microseconds. How long the first
            request of a batch waits for others, although a thread is free.
            Default 0.
        max_enqueued_batches: int >= 1. Batches that wait, for each signature
            of a model. Default 10.
        num_batch_threads: int >= 1. Batches that are computed at a time, for
            all models. Default one a core.
        thread_pool_name: str. A label of metrics.
        allowed_batch_sizes: tuple of int, rising. A batch is filled up to the
            next of these, by copies of one of its examples. Default: any.
        enable_large_batch_splitting: bool. Whether a request may be computed
            in several batches. Default False.
        max_execution_batch_size: int >= 1. Examples of a batch; another than
            `max_batch_size` needs `enable_large_batch_splitting`.

    Raises:
        ServingError: a number is too small, the last allowed size is not the
            largest batch, they do not rise, or a batch would be larger than a
            request may be (INVALID_ARGUMENT).
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count()
    thread_pool_name: str = "batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int | None = None

    def __post_init__(self):
        if (
            self.max_execution_batch_size is None
            or not self.enable_large_batch_splitting
        ):
            object.__setattr__(
                self, "max_execution_batch_size", self.max_batch_size
            )
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                raise errors.invalid_argument(
                    f"{name} must be at least {least}; was "
                    f"{getattr(self, name)}"
                )
        largest = self.max_execution_batch_size
        if largest > self.max_batch_size:
            raise errors.invalid_argument(
                "max_execution_batch_size must not be larger than "
                f"max_batch_size; was {largest}, {self.max_batch_size}"
            )
        sizes = self.allowed_batch_sizes
        if list(sizes) != sorted({size for size in sizes if size > 0}):
            raise errors.invalid_argument(
                "allowed_batch_sizes entries must be monotonically "
                f"increasing and positive; were {list(sizes)}"
            )
        if sizes and sizes[-1] != largest:
            name = "max_batch_size"
            if self.enable_large_batch_splitting:
                name = "max_execution_batch_size"
            raise errors.invalid_argument(
                f"Last entry in allowed_batch_sizes must match {name}; last "
                f"entry was {sizes[-1]}; expected {largest}"
            )

    def padded_size(self, size):
        """Returns how many examples are computed for so many."""
        allowed = (each for each in self.allowed_batch_sizes if each >= size)
        return next(allowed, size) if size else 0


def read(path: str | os.PathLike) -> BatchingParameters:
    """Reads a `--batching_parameters_file`.

    Args:
        path: file with a `tensorflow.serving.BatchingParameters` as text.

    Raises:
        ServingError: the file cannot be read (NOT_FOUND), is no such text,
            holds what is out of bounds (INVALID_ARGUMENT), or asks for inputs
            to be padded (UNIMPLEMENTED).
    """
    message = text_messages.read(path, _MESSAGE)
    if message.pad_variable_length_inputs:
        raise errors.ServingError(
            "UNIMPLEMENTED",
            "This server has no pad_variable_length_inputs: it does not merge "
            "requests of different shapes",
        )
    given = {}
    for field, value in message.ListFields():
        # Wrapped, or repeated: protobuf 7 has no `field.label` any more.
        is_wrapped = field.message_type is not None
        given[field.name] = value.value if is_wrapped else tuple(value)
    return BatchingParameters(**given)


def of_model(folder: str | os.PathLike) -> BatchingParameters | None:
    """Returns what stands beside a SavedModel; None where nothing does.

    Args:
        folder: of the SavedModel.

    Raises:
        ServingError: as of `read`.
    """
    path = pathlib.Path(folder) / FILE_NAME
    return read(path) if path.exists() else None
