"""An engine that computes requests of several callers together."""

import threading
import time

import numpy as np

from serving import batch_queue
from serving import callers
from serving import errors
from serving import monitoring

# Nobody waits for a second attempt, or it would not help.
_FINAL = ("DEADLINE_EXCEEDED", "CANCELLED")


class BatchedEngine:
    """Runs signatures as another engine does, in batches.

    Requests of one signature whose inputs have the same types and the same
    shapes but for the first dimension are put together along it; the outputs
    are cut again. The first dimension of every input
    and output must be the batch, as in TensorFlow Serving.

    Differs from TensorFlow Serving: if a batch fails, each request of it runs
    once more alone, so that a damaged image fails its own request only;
    requests of other shapes are not merged, where there all of them fail;
    requests that nobody waits for any more are left out; and a request for
    some of the outputs joins a batch, where there it runs by itself.

    Owns the engine: `close` frees it, after the batch that it computes.

    Attributes:
        signatures: those of the engine.

    Args:
        engine: with `signatures`, `run` and `close`.
        parameters: `BatchingParameters`.
        threads: `BatchThreads`. Not closed here.
    """

    def __init__(self, engine, parameters, threads):
        self.signatures = engine.signatures
        self._engine = engine
        self._parameters = parameters
        self._threads = threads
        self._lock = threading.Lock()
        self._queues = {}
        self._num_running = 0
        self._is_closed = False

    def run(self, signature_name, inputs):
        """Runs one signature, as of `SavedModelEngine`.

        Raises:
            ServingError: as there; or an input has no batch dimension, they
                do not agree, or it is larger than a request may be
                (INVALID_ARGUMENT); an output has none (FAILED_PRECONDITION);
                too many batches wait (UNAVAILABLE); or the caller's time is
                over (DEADLINE_EXCEEDED).
        """
        signature = self.signatures[signature_name]
        inputs = {alias: inputs[alias] for alias in sorted(signature.inputs)}
        size = _batch_size(inputs)
        if size > self._parameters.max_batch_size:
            raise errors.invalid_argument(
                f"Task size {size} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}"
            )
        tasks = self._tasks(inputs, size)
        self._threads.submit(self._queue(signature_name), tasks)
        monitoring.INPUT_BATCH_SIZE.observe(
            size, self._parameters.thread_pool_name
        )
        parts = [task.result() for task in tasks]
        if len(parts) == 1:
            return parts[0]
        return {
            alias: np.concatenate([part[alias] for part in parts])
            for alias in parts[0]
        }

    def close(self):
        """Frees the engine; nobody may wait for a run any more."""
        with self._lock:
            self._is_closed = True
            queues, self._queues = list(self._queues.values()), {}
            is_idle = not self._num_running
        for queue in queues:
            self._threads.remove_queue(queue)
        if is_idle:
            self._engine.close()

    def _tasks(self, inputs, size):
        caller = callers.current()
        key = tuple((array.dtype, array.shape[1:]) for array in inputs.values())
        largest = self._parameters.max_execution_batch_size
        tasks = []
        for begin in range(0, max(size, 1), largest):
            part = slice(begin, begin + largest)
            tasks.append(
                batch_queue.Task(
                    key,
                    {alias: array[part] for alias, array in inputs.items()},
                    min(size - begin, largest),
                    caller,
                )
            )
        return tasks

    def _queue(self, signature_name):
        with self._lock:
            if signature_name not in self._queues:
                queue = batch_queue.BatchQueue(
                    self._parameters,
                    lambda tasks: self._process(signature_name, tasks),
                )
                self._queues[signature_name] = queue
                self._threads.add_queue(queue)
            return self._queues[signature_name]

    def _process(self, signature_name, tasks):
        with self._lock:
            if self._is_closed:
                # Those who waited have left; only then is it closed.
                return
            self._num_running += 1
        try:
            began = time.monotonic()
            for task in tasks:
                monitoring.QUEUING_LATENCY.observe(
                    round((began - task.began) * 1e6),
                    self._parameters.thread_pool_name,
                )
            error = self._try(signature_name, tasks)
            if error is None:
                return
            is_final = getattr(error, "code", None) in _FINAL
            if len(tasks) == 1 or is_final:
                for task in tasks:
                    task.fail(error)
                return
            self._run_each_alone(signature_name, tasks)
        finally:
            with self._lock:
                self._num_running -= 1
                is_last = self._is_closed and not self._num_running
            if is_last:
                self._engine.close()

    def _run_each_alone(self, signature_name, tasks):
        for task in tasks:
            if not task.caller.is_waiting():
                monitoring.BATCH_ABANDONED_COUNT.add()
                task.fail(
                    errors.ServingError("CANCELLED", "Nobody waits any more")
                )
                continue
            monitoring.BATCH_RETRY_COUNT.add()
            error = self._try(signature_name, [task])
            if error is not None:
                task.fail(error)

    def _try(self, signature_name, tasks):
        """Gives each task its outputs; returns the error if it fails."""
        self._threads.is_computing()
        size = sum(task.size for task in tasks)
        padded = self._parameters.padded_size(size)
        pool = self._parameters.thread_pool_name
        monitoring.WRAPPED_RUN_COUNT.add()
        monitoring.PROCESSED_BATCH_SIZE.observe(padded, pool)
        monitoring.PADDING_SIZE.observe(padded - size, pool)
        try:
            outputs = self._engine.run(
                signature_name, _merged(tasks, padded - size)
            )
            parts = _split(outputs, [task.size for task in tasks], padded)
        except Exception as error:
            return error
        for task, part in zip(tasks, parts, strict=True):
            task.succeed(part)
        return None


def _batch_size(inputs):
    if not inputs:
        raise errors.invalid_argument(
            "Batching session Run() must have at least one input tensor"
        )
    if not all(array.ndim for array in inputs.values()):
        raise errors.invalid_argument(
            "Batching session Run() input tensors must have at least one "
            "dimension"
        )
    sizes = {len(array) for array in inputs.values()}
    if len(sizes) > 1:
        raise errors.invalid_argument(
            "Batching session Run() input tensors must have equal "
            "0th-dimension size"
        )
    return sizes.pop()


def _merged(tasks, num_padding):
    if len(tasks) == 1 and not num_padding:
        return tasks[0].inputs
    merged = {}
    for alias in tasks[0].inputs:
        arrays = [task.inputs[alias] for task in tasks]
        if num_padding:
            # A row that was sent is one that the model may be given.
            row = next(array for array in arrays if len(array))[:1]
            arrays += [row] * num_padding
        merged[alias] = np.concatenate(arrays)
    return merged


def _split(outputs, sizes, padded):
    for array in outputs.values():
        if not array.ndim:
            raise errors.ServingError(
                "FAILED_PRECONDITION", "Batched output tensor has 0 dimensions"
            )
        if len(array) != padded:
            raise errors.ServingError(
                "FAILED_PRECONDITION",
                "Batched output tensor's 0th dimension does not equal the sum "
                "of the 0th dimension sizes of the input tensors",
            )
    parts, begin = [], 0
    for size in sizes:
        parts.append(
            {
                alias: array[begin : begin + size]
                for alias, array in outputs.items()
            }
        )
        begin += size
    return parts
