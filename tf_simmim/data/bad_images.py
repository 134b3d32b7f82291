"""Bad images of a source: each named once, all counted, and not too many."""

import re
import threading

import tensorflow as tf
from absl import logging

from tf_simmim.data.errors import TooManyBadImagesError

# What reading an image raises when the image is to blame. Not among them: a
# pipeline that is being closed, no memory, a store that is out of reach.
READING_ERRORS = (
    OSError,
    ValueError,
    tf.errors.DataLossError,
    tf.errors.FailedPreconditionError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,
    tf.errors.PermissionDeniedError,
    tf.errors.UnimplementedError,
    tf.errors.UnknownError,
)

_LEAST_DEFAULT = 100
_DEFAULT_SHARE = 1000  # one in so many


class BadImages:
    """The images of one source that could not be read so far.

    It is safe to use from several threads. What it knows lives as long as the
    process: another one finds the same bad images again.

    Args:
        source: `Source`.
        max_bad_images: int >= 0. How many there may be. Default: 100 or one
            in a thousand, whichever is more. None may be in a streaming
            source, whose images cannot be replaced.

    Attributes:
        reasons: {name: str}. Why each of them cannot be used.

    Raises:
        ValueError: `max_bad_images` is negative.
    """

    def __init__(self, source, max_bad_images=None):
        if max_bad_images is None:
            max_bad_images = default_limit(len(source))
        if max_bad_images < 0:
            raise ValueError(
                "`max_bad_images` must be 0 or more. "
                f"Received: {max_bad_images}."
            )
        self.source = source
        self.max_bad_images = max_bad_images if source.random_access else 0
        self.reasons = {}
        self._lock = threading.Lock()
        with tf.device("CPU:0"):
            self._table = tf.lookup.experimental.MutableHashTable(
                tf.int64, tf.int64, default_value=0
            )

    def __len__(self):
        return len(self.reasons)

    def has(self, index) -> tf.Tensor:
        """Tells whether an image is known to be bad, also inside `tf.data`.

        Args:
            index: int64 scalar tensor, position in the source.
        """
        return self._table.lookup(index) > 0

    def add(self, index, error) -> None:
        """Notes that an image is bad, and logs it the first time.

        Args:
            index: int. Position in the source.
            error: what reading it raised.

        Raises:
            TooManyBadImagesError: there are more than `max_bad_images`, or
                no other is left to take its place.
        """
        name, why = self.source.describe(index), reason(error)
        with self._lock:
            if name not in self.reasons:
                self.reasons[name] = why
                logging.warning("Bad image %s: %s", name, why)
            count = len(self.reasons)
            if count > self.max_bad_images or count == len(self.source):
                raise TooManyBadImagesError(
                    self.source, self.reasons, self.max_bad_images
                )
            key = tf.constant(index, tf.int64)
            self._table.insert(key, tf.ones_like(key))


def default_limit(num_images: int) -> int:
    """Returns how many of `num_images` may be bad: 100 or one in a thousand."""
    return max(_LEAST_DEFAULT, num_images // _DEFAULT_SHARE)


def reason(error) -> str:
    """Returns the one line of an error that says what is wrong."""
    text = getattr(error, "message", str(error))
    # A failed assertion, as a graph words it and as eager mode does.
    assertion = re.search(
        r"assertion failed: \[(.*?)\]|Summarized data: b'(.*?)'", text
    )
    if assertion:
        return (assertion[1] or assertion[2]).rstrip(":")
    text = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*?\]", "", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # From inside a graph, where it was raised comes first.
    line = lines[-1] if lines[0] == "Graph execution error:" else lines[0]
    return line.removesuffix("name:").rstrip()
