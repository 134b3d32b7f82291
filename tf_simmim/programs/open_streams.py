"""Every stream of a program, to be asked what went wrong."""

import contextlib

import tensorflow as tf
from absl import logging


class OpenStreams:
    """The streams that a program reads images from."""

    def __init__(self):
        self._streams = []

    def add(self, stream):
        """Notes a stream, and tells it what others know of its source's files.

        Args:
            stream: `data.ImageStream`.

        Returns:
            The stream.
        """
        for other in self._streams:
            if other.source is stream.source:
                # Whatever size they are read in.
                stream.bad_images = other.bad_images
        self._streams.append(stream)
        return stream

    @contextlib.contextmanager
    def named_errors(self):
        """Puts the error that names a file in the place of TensorFlow's.

        Raises:
            TooManyBadImagesError, DamagedRecordsError: what ended a stream.
        """
        try:
            yield
        except tf.errors.OpError as error:
            for stream in self._streams:
                if stream.error is not None:
                    raise stream.error from error
            raise

    def log_bad_images(self):
        """Logs how many images were replaced, one line for each source."""
        streams = {id(stream.bad_images): stream for stream in self._streams}
        for stream in streams.values():
            if stream.bad_images:
                logging.warning(
                    "%d of the %d images of %s could not be used; others took "
                    "their place.",
                    len(stream.bad_images),
                    len(stream.source),
                    stream.source.name,
                )
