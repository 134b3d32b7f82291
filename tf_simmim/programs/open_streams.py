"""Every stream of a program, to be asked what went wrong."""

import contextlib

import tensorflow as tf
from absl import logging

_streams = []


def add(stream):
    """Notes a stream, and tells it what others know of its source's files.

    Args:
        stream: `data.ImageStream`.
    """
    for other in _streams:
        if other.source is stream.source:
            # Whatever size they are read in.
            stream.bad_images = other.bad_images
    _streams.append(stream)


@contextlib.contextmanager
def named_errors():
    """Puts the error that names a file in the place of TensorFlow's.

    Raises:
        TooManyBadImagesError, DamagedRecordsError: what ended a stream.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for stream in _streams:
            if stream.error is not None:
                raise stream.error from error
        raise


def log_bad_images():
    """Logs how many images were replaced, one line for each source."""
    streams = {id(stream.bad_images): stream for stream in _streams}
    for stream in streams.values():
        if stream.bad_images:
            logging.warning(
                "%d of the %d images of %s could not be used; others took "
                "their place.",
                len(stream.bad_images),
                len(stream.source),
                stream.source.name,
            )
