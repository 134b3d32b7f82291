"""Who waits for the answer to a request, and for how long."""

import contextlib
import contextvars
import math
import threading
import time


class Caller:
    """One who waits, until the answer, a point in time, or a change of mind.

    What nobody waits for any more need not be computed: batches leave it out.

    Args:
        timeout_seconds: float, or None to wait for ever.
    """

    def __init__(self, timeout_seconds=None):
        self._gone = threading.Event()
        self._deadline = math.inf
        if timeout_seconds is not None:
            self.wait_at_most(timeout_seconds)

    def wait_at_most(self, seconds):
        """Brings the end of waiting forward, to so many seconds from now."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def leave(self):
        """Waits no longer. May be called from any thread."""
        self._gone.set()

    def is_waiting(self):
        """Whether an answer would still be heard."""
        return not self._gone.is_set() and time.monotonic() < self._deadline

    def seconds_left(self):
        """Returns float >= 0, or None for ever."""
        if self._deadline == math.inf:
            return None
        return max(0.0, self._deadline - time.monotonic())


_CURRENT = contextvars.ContextVar("caller")


def current() -> Caller:
    """Returns who waits for what this thread computes; by default for ever."""
    found = _CURRENT.get(None)
    return found if found is not None else Caller()


@contextlib.contextmanager
def computing_for(caller: Caller):
    """Makes a caller the `current` one of this thread meanwhile."""
    token = _CURRENT.set(caller)
    try:
        yield
    finally:
        _CURRENT.reset(token)
