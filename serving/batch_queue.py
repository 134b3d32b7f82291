"""Requests of one signature that wait to be computed together."""

import collections
import threading
import time

from serving import errors
from serving import monitoring


class Task:
    """A request, or a part of one, that waits for its share of a batch.

    Args:
        key: hashable. Requests of other keys cannot be merged with it.
        inputs: {alias: array [size, ...]}.
        size: int >= 0. Examples.
        caller: `Caller`, who waits for it.
    """

    def __init__(self, key, inputs, size, caller):
        self.key = key
        self.inputs = inputs
        self.size = size
        self.caller = caller
        self.began = time.monotonic()
        self._done = threading.Event()
        self._result = None
        self._error = None

    def succeed(self, result):
        """Gives the caller {alias: array [size, ...]}."""
        self._result = result
        self._done.set()

    def fail(self, error):
        """Gives the caller an error."""
        self._error = error
        self._done.set()

    def result(self):
        """Waits as long as the caller does, and returns what `succeed` had.

        Raises:
            ServingError: the caller's time is over (DEADLINE_EXCEEDED).
            Exception: that of `fail`.
        """
        if not self._done.wait(self.caller.seconds_left()):
            self.caller.leave()
            raise errors.ServingError(
                "DEADLINE_EXCEEDED",
                "Run() timeout exceeded while waiting in batching queue",
            )
        if self._error is not None:
            raise self._error
        return self._result


class BatchQueue:
    """A bounded queue of batches, in the order in which they were begun.

    A task joins the last batch of its key, or begins another one. Not for
    several threads: `BatchThreads` holds its lock.

    Args:
        parameters: `BatchingParameters`.
        process: function of a list of tasks, to be called without the lock.
    """

    def __init__(self, parameters, process):
        self.process = process
        self._parameters = parameters
        self._batches = collections.deque()

    def add(self, tasks):
        """Takes all of these tasks, or none.

        Raises:
            ServingError: there are too many batches (UNAVAILABLE).
        """
        # What nobody waits for must not keep others out.
        self._drop_abandoned()
        placed = []
        for task in tasks:
            batch = self._batch_for(task)
            if batch is None:
                for other, earlier in placed:
                    other.tasks.remove(earlier)
                self._drop_abandoned()
                monitoring.BATCH_REJECTED_COUNT.add()
                raise errors.ServingError(
                    "UNAVAILABLE",
                    "The batch scheduling queue to which this task was "
                    "submitted is full",
                )
            batch.tasks.append(task)
            placed.append((batch, task))

    def pop(self, now, at_once=False):
        """Returns the tasks of a batch that is due, and forgets it.

        Args:
            now: float, of `time.monotonic()`.
            at_once: bool. Whether every batch is due.

        Returns:
            list of tasks that somebody waits for, at least one; None if no
            batch is due.
        """
        self._drop_abandoned()
        for batch in self._batches:
            if at_once or batch.is_closed or self._due(batch) <= now:
                self._batches.remove(batch)
                return batch.tasks
        return None

    def due(self):
        """Returns when the next batch is due, or None if there is none."""
        return min(map(self._due, self._batches), default=None)

    def __len__(self):
        """Returns the number of batches."""
        return len(self._batches)

    def _batch_for(self, task):
        largest = self._parameters.max_execution_batch_size
        for batch in reversed(self._batches):
            if batch.key == task.key and not batch.is_closed:
                size = batch.size() + task.size
                if size <= largest:
                    batch.is_closed = size == largest
                    return batch
                batch.is_closed = True
                break
        if len(self._batches) >= self._parameters.max_enqueued_batches:
            return None
        batch = _Batch(task.key)
        batch.is_closed = task.size == largest
        self._batches.append(batch)
        return batch

    def _due(self, batch):
        wait = self._parameters.batch_timeout_micros / 1e6
        return 0.0 if batch.is_closed else batch.tasks[0].began + wait

    def _drop_abandoned(self):
        for batch in list(self._batches):
            abandoned = [
                task for task in batch.tasks if not task.caller.is_waiting()
            ]
            for task in abandoned:
                monitoring.BATCH_ABANDONED_COUNT.add()
                batch.tasks.remove(task)
                task.fail(
                    errors.ServingError("CANCELLED", "Nobody waits any more")
                )
            if not batch.tasks:
                self._batches.remove(batch)


class _Batch:
    def __init__(self, key):
        self.key = key
        self.tasks = []
        # Nothing can join it.
        self.is_closed = False

    def size(self):
        return sum(task.size for task in self.tasks)
