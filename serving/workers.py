"""Threads that answer requests, and a bounded queue before them."""

import asyncio
import concurrent.futures
import threading
import time

from serving import callers
from serving import errors


class Workers:
    """Runs functions in a fixed number of threads.

    A request that finds the queue full is refused at once, so that those in it
    are answered in time; one that takes too long is given up, although its
    thread cannot be freed before the function returns. While a function runs,
    `callers.current()` is who waits for it.

    Owns threads: `close` ends them.

    Attributes:
        max_pending: int. Requests at a time, running and waiting.

    Args:
        num_threads: int >= 1.
        max_waiting: int >= 0. Requests in the queue.
        timeout_seconds: float > 0. From joining the queue to the answer.
    """

    def __init__(self, num_threads, max_waiting, timeout_seconds):
        self._num_threads = num_threads
        self.max_pending = num_threads + max_waiting
        self._timeout_seconds = timeout_seconds
        self._pool = concurrent.futures.ThreadPoolExecutor(
            num_threads, thread_name_prefix="serving"
        )
        self._lock = threading.Lock()
        self._has_ended = threading.Condition(self._lock)
        self._num_pending = 0
        self._started = {}

    async def run(self, function, *arguments):
        """Returns what a function returns that runs in a thread.

        Args:
            function: callable.
            *arguments: of it.

        Raises:
            ServingError: the queue is full (UNAVAILABLE), or the time is over
                (DEADLINE_EXCEEDED).
        """
        caller = callers.Caller(self._timeout_seconds)
        future = self._submit(caller, function, arguments)
        try:
            return await asyncio.wait_for(
                asyncio.wrap_future(future), self._timeout_seconds
            )
        except asyncio.TimeoutError as error:
            raise _out_of_time() from error
        finally:
            caller.leave()

    def call(self, caller, function, *arguments):
        """Returns what `run` does, for a caller that is a thread itself.

        Args:
            caller: `Caller`. Its own limit holds, if it is earlier.
            function: callable.
            *arguments: of it.

        Raises:
            ServingError: as of `run`.
        """
        caller.wait_at_most(self._timeout_seconds)
        future = self._submit(caller, function, arguments)
        try:
            return future.result(caller.seconds_left())
        except concurrent.futures.TimeoutError as error:
            future.cancel()
            raise _out_of_time() from error
        finally:
            caller.leave()

    def num_pending(self):
        """Returns the number of requests that run and that wait."""
        with self._lock:
            return self._num_pending

    def are_stuck(self):
        """Whether every thread is busy with a request that was given up."""
        latest = time.monotonic() - self._timeout_seconds
        with self._lock:
            late = [began for began in self._started.values() if began < latest]
        return len(late) >= self._num_threads

    def close(self):
        """Takes no more requests; waits for those that run.

        Returns:
            bool: whether all have ended. Those that had more time than a
            request may take keep their threads, and the interpreter would
            wait for these when it ends.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._has_ended:
            return self._has_ended.wait_for(
                lambda: not self._started, self._timeout_seconds
            )

    def _submit(self, caller, function, arguments):
        with self._lock:
            if self._num_pending >= self.max_pending:
                raise errors.ServingError(
                    "UNAVAILABLE",
                    "The server is busy and its queue is full: try again later",
                )
            self._num_pending += 1
        future = self._pool.submit(self._timed, caller, function, arguments)
        future.add_done_callback(self._finished)
        return future

    def _timed(self, caller, function, arguments):
        if not caller.is_waiting():
            raise errors.ServingError("CANCELLED", "Nobody waits any more")
        key = threading.get_ident()
        with self._lock:
            self._started[key] = time.monotonic()
        try:
            with callers.computing_for(caller):
                return function(*arguments)
        finally:
            with self._has_ended:
                del self._started[key]
                self._has_ended.notify_all()

    def _finished(self, _):
        with self._lock:
            self._num_pending -= 1


def _out_of_time():
    return errors.ServingError(
        "DEADLINE_EXCEEDED", "Timed out waiting for notification"
    )
