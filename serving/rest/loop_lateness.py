"""How late an event loop is: the server's own share of a wait."""

import asyncio
import contextlib

_INTERVAL = 0.1  # seconds


class LoopLateness:
    """Adds up by how much callbacks of the running loop come too late.

    It looks every tenth of a second, as long as somebody is `watching`. A
    loop is late when it has much to do, or when another thread keeps Python
    to itself.

    Attributes:
        seconds: float. The sum so far.
    """

    def __init__(self):
        self.seconds = 0.0
        self._num_watchers = 0
        self._next = None

    @contextlib.contextmanager
    def watching(self):
        """Adds lateness up while the context lasts."""
        self._num_watchers += 1
        if self._num_watchers == 1:
            self._look_later(asyncio.get_running_loop())
        try:
            yield
        finally:
            self._num_watchers -= 1
            if not self._num_watchers:
                self._next.cancel()

    def _look_later(self, loop):
        due = loop.time() + _INTERVAL
        self._next = loop.call_at(due, self._look, loop, due)

    def _look(self, loop, due):
        self.seconds += loop.time() - due
        self._look_later(loop)
