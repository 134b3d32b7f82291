"""Threads that compute batches, for the queues of all models."""

import logging
import threading
import time

_log = logging.getLogger(__name__)


class BatchThreads:
    """Takes batches out of queues in turn, and computes them.

    Owns threads: `close` ends them.

    Args:
        num_threads: int >= 1. Batches at a time.
        timeout_seconds: float > 0. A run that takes longer is stuck: it
            should have been cancelled.
    """

    def __init__(self, num_threads, timeout_seconds):
        self._timeout_seconds = timeout_seconds
        # Guards all of this, and the queues.
        self._changed = threading.Condition()
        self._queues = []
        self._started = {}
        self._is_closing = False
        self._threads = [
            threading.Thread(target=self._work, name="batches", daemon=True)
            for _ in range(num_threads)
        ]
        for thread in self._threads:
            thread.start()

    def add_queue(self, queue):
        """Serves a `BatchQueue` from now on."""
        with self._changed:
            self._queues.append(queue)

    def remove_queue(self, queue):
        """Serves it no longer; nothing may wait in it that is waited for."""
        with self._changed:
            self._queues.remove(queue)

    def submit(self, queue, tasks):
        """Adds tasks to a queue.

        Args:
            queue: `BatchQueue`, of `add_queue`.
            tasks: sequence of `Task`.

        Raises:
            ServingError: as of `BatchQueue.add`.
        """
        with self._changed:
            queue.add(tasks)
            # They may fill several batches.
            self._changed.notify(len(tasks))

    def num_waiting(self):
        """Returns the number of batches in all queues."""
        with self._changed:
            return sum(map(len, self._queues))

    def is_computing(self):
        """Tells that this thread's run begins now: it is not stuck yet."""
        key = threading.get_ident()
        with self._changed:
            if key in self._started:
                self._started[key] = time.monotonic()

    def are_stuck(self):
        """Whether every thread is in a run that should have ended."""
        latest = time.monotonic() - self._timeout_seconds
        with self._changed:
            late = [began for began in self._started.values() if began < latest]
        return len(late) >= len(self._threads)

    def close(self):
        """Computes what waits, and ends the threads that are not stuck."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        deadline = time.monotonic() + self._timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self):
        key = threading.get_ident()
        while True:
            with self._changed:
                queue, tasks = self._next()
                if queue is None:
                    return
                self._started[key] = time.monotonic()
            try:
                queue.process(tasks)
            except Exception as error:
                # Not the tasks' fault; a thread less would be everyone's.
                _log.exception("A batch failed")
                for task in tasks:
                    task.fail(error)
            finally:
                with self._changed:
                    del self._started[key]
            # Not to keep arrays alive while it waits.
            del queue, tasks

    def _next(self):
        while True:
            now = time.monotonic()
            for queue in self._queues:
                tasks = queue.pop(now, at_once=self._is_closing)
                if tasks is not None:
                    # The others come first now.
                    self._queues.remove(queue)
                    self._queues.append(queue)
                    return queue, tasks
            if self._is_closing:
                return None, None
            due = [queue.due() for queue in self._queues]
            wait = min((d for d in due if d is not None), default=None)
            self._changed.wait(None if wait is None else max(0.0, wait - now))
