"""What a run can do without, and how it goes on when that fails."""

import contextlib

from absl import logging


@contextlib.contextmanager
def going_on_without(what: str, logged=None):
    """Logs whatever error its block has, and goes on after the block.

    Hours of training are not given up for a picture: not for a full disk, a
    disk that fails, a folder that is gone, or no more file handles.

    Args:
        what: str. What is lost, for the log.
        logged: set of str, which is added to: lines that it holds are not
            logged again. None to log every time.
    """
    try:
        yield
    except Exception as error:
        line = f"Not written: {what} ({_reason(error)})."
        if logged is None or line not in logged:
            logging.error("%s", line)
        if logged is not None:
            logged.add(line)


def _reason(error):
    """Returns an error in one line."""
    # TensorFlow's messages go on for lines.
    text = getattr(error, "strerror", None) or getattr(error, "message", None)
    text = str(text or error).strip().partition("\n")[0].rstrip(".")
    return text or type(error).__name__
