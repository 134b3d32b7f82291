"""Loads versions: the SavedModel, and what stands around it."""

import dataclasses
import time

from serving import batch_threads
from serving import batched_engine
from serving import batching_parameters
from serving import errors
from serving import monitoring


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
            `run` and `close`), or raises `ServingError`.
        batching: `Batching`, or None to run each request by itself.
    """

    def __init__(self, load, batching=None):
        self._load = load
        self._batching = batching

    def __call__(self, path):
        """Loads a version.

        Args:
            path: its folder.

        Raises:
            ServingError: it does not load, or what stands beside it is wrong.
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
            return self._batched(engine, path)
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
