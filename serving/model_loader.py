"""Loads versions: the SavedModel, and what stands around it."""

import dataclasses
import time

from serving import batch_threads
from serving import batched_engine
from serving import batching_parameters
from serving import errors
from serving import monitoring
from serving import pixel_limit
from serving import warmup


@dataclasses.dataclass(frozen=True)
class Batching:
    """How the requests to a server are gathered into batches.

    Attributes:
        threads: `BatchThreads`, of all models.
        parameters: `BatchingParameters`, of every model; None where each has
            its own beside its graph, and is not batched without.
    """

    threads: batch_threads.BatchThreads
    parameters: batching_parameters.BatchingParameters | None


class ModelLoader:
    """A function of a folder that returns an engine, for `ModelVersions`.

    Args:
        load: function of a folder that returns an engine (with `signatures`,
            `prepare`, `run` and `close`), or raises `ServingError`.
        batching: `Batching`, or None to run each request by itself.
        num_warmup_iterations: int >= 0. How often each request of a version's
            warm-up file runs before the version is available. Default 1, as
            in TensorFlow Serving.
    """

    def __init__(self, load, batching=None, num_warmup_iterations=1):
        self._load = load
        self._batching = batching
        self._num_warmup_iterations = num_warmup_iterations

    def __call__(self, path):
        """Loads a version.

        Args:
            path: its folder.

        Raises:
            ServingError: it does not load, what stands beside it is wrong, or
                a request of its warm-up file fails.
        """
        began = time.monotonic()
        try:
            engine = self._load(path)
        except errors.ServingError:
            monitoring.LOAD_ATTEMPT_COUNT.add(str(path), "fail")
            raise
        monitoring.LOAD_ATTEMPT_COUNT.add(str(path), "success")
        monitoring.LOAD_LATENCY.add(
            str(path), by=monitoring.microseconds_since(began)
        )
        try:
            # Here it keeps nobody waiting: requests need not be the first.
            engine.prepare()
            engine = self._batched(engine, path)
            max_pixels = pixel_limit.of_export(path)
            if max_pixels is not None:
                engine = pixel_limit.PixelLimit(engine, max_pixels)
            if self._num_warmup_iterations:
                warmup.replay(engine, path, self._num_warmup_iterations)
            return engine
        except BaseException:
            engine.close()
            raise

    def _batched(self, engine, path):
        if self._batching is None:
            return engine
        parameters = self._batching.parameters
        if parameters is None:
            parameters = batching_parameters.of_model(path)
        if parameters is None:
            return engine
        return batched_engine.BatchedEngine(
            engine, parameters, self._batching.threads
        )
