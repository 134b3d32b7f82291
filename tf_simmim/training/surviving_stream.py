"""A text stream whose reader or disk may go while a run goes on."""

import contextlib


class SurvivingStream:
    """Writes to a stream for as long as it can be written to.

    What a stream does not take is lost, without an error: nobody could be told
    of it but through that stream. Writing is tried again every time, so that a
    log goes on when its disk has room again.

    Args:
        stream: text stream, or None for nowhere (as Python has it where there
            is no standard output).

    Attributes:
        loss: Exception or None, the first with which something was lost. A pipe
            whose reader has had enough, as `head`, loses nothing.
    """

    def __init__(self, stream):
        self._stream = stream
        self.loss = None

    def write(self, text):
        """Writes as far as possible; returns the number of characters."""
        with self._surviving():
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self):
        """Flushes as far as possible."""
        with self._surviving():
            if self._stream is not None:
                self._stream.flush()

    def writelines(self, lines):
        """Writes lines as far as possible."""
        for line in lines:
            self.write(line)

    def isatty(self):
        """Whether the stream is a terminal."""
        with self._surviving():
            return self._stream is not None and self._stream.isatty()
        return False

    @contextlib.contextmanager
    def _surviving(self):
        try:
            yield
        except UnicodeError:  # what is written is to blame
            raise
        except BrokenPipeError:
            pass
        except (OSError, ValueError) as error:
            # A full disk, a terminal that was closed; a file that was.
            self.loss = self.loss or error

    def __getattr__(self, name):
        return getattr(self._stream, name)
