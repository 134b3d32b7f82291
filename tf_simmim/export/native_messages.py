"""What TensorFlow's C++ code writes to stderr, past every logger."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def withheld():
    """Keeps stderr from being written to, for the whole process, meanwhile.

    TensorFlow Lite's converter tells tables of operations that nobody asked
    for. If there is an error within, all that was written follows.
    """
    with contextlib.ExitStack() as stack:
        try:
            spool = stack.enter_context(tempfile.TemporaryFile())
            stderr = os.dup(2)
        except OSError:  # No folder for it, or no stderr.
            yield
            return
        stack.callback(os.close, stderr)
        _flush()
        os.dup2(spool.fileno(), 2)
        try:
            yield
        except BaseException:
            _flush()
            spool.seek(0)
            # A full disk or a closed pipe must not hide the error.
            with contextlib.suppress(OSError):
                os.write(stderr, spool.read())
            raise
        finally:
            _flush()
            os.dup2(stderr, 2)


def _flush():
    # There is no stderr, or it takes nothing.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()
