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
        sys.stderr.flush()
        os.dup2(spool.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            spool.seek(0)
            os.write(stderr, spool.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
