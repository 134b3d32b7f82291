"""A text stream whose reader or disk may go while a run goes on."""

import contextlib


@contextlib.contextmanager
def _surviving():
    try:
        yield
    except UnicodeError:  # what is written is to blame
        raise
    except (OSError, ValueError):
        # A pipe without a reader, a full disk, a terminal that was closed; a
        # file that was.
        pass


class SurvivingStream:
    """Writes to a stream for as long as it can be written to.

    What a stream does not take is lost, without an error: nobody could be told
    of it but through that stream. Writing is tried again every time, so that a
    log goes on when its disk has room again.

    Args:
        stream: text stream, or None for nowhere (as Python has it where there
            is no standard output).
    """

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        """Writes as far as possible; returns the number of characters."""
        with _surviving():
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self):
        """Flushes as far as possible."""
        with _surviving():
            if self._stream is not None:
                self._stream.flush()

    def writelines(self, lines):
        """Writes lines as far as possible."""
        for line in lines:
            self.write(line)

    def isatty(self):
        """Whether the stream is a terminal."""
        with _surviving():
            return self._stream is not None and self._stream.isatty()
        return False

    def __getattr__(self, name):
        return getattr(self._stream, name)
