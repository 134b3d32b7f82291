"""What this process counts, under the names of TensorFlow Serving.

The metrics are the process's, as they are there: whoever has something to
count counts it here. `page` is what Prometheus reads.
"""

import contextlib
import time

from serving import errors
from serving import metrics

DEFAULT_PATH = "/monitoring/prometheus/metrics"
# TensorFlow Serving's: up to 20 minutes.
_LATENCY_LIMITS = metrics.exponential(10, 1.8, 33)
_REGISTRY = metrics.Registry()

REQUEST_COUNT = _REGISTRY.counter(
    "/tensorflow/serving/request_count",
    "The total number of requests.",
    ("model_name", "status"),
)
REQUEST_LATENCY = _REGISTRY.histogram(
    "/tensorflow/serving/request_latency",
    "Microseconds of a request that was answered.",
    ("model_name", "API", "entrypoint"),
    _LATENCY_LIMITS,
)
RUNTIME_LATENCY = _REGISTRY.histogram(
    "/tensorflow/serving/runtime_latency",
    "Microseconds of a run, with the time in the queue of batches.",
    ("model_name", "API", "runtime"),
    _LATENCY_LIMITS,
)
REQUEST_EXAMPLE_COUNTS = _REGISTRY.histogram(
    "/tensorflow/serving/request_example_counts",
    "The number of tensorflow.Examples per request.",
    ("model",),
    metrics.exponential(1, 2, 15),
)
REQUEST_EXAMPLE_COUNT_TOTAL = _REGISTRY.counter(
    "/tensorflow/serving/request_example_count_total",
    "The total number of tensorflow.Examples.",
    ("model",),
)
MODEL_WARMUP_LATENCY = _REGISTRY.histogram(
    "/tensorflow/serving/model_warmup_latency",
    "Microseconds of the replay of a warm-up file.",
    ("model_path", "status"),
    _LATENCY_LIMITS,
)
LOAD_ATTEMPT_COUNT = _REGISTRY.counter(
    "/tensorflow/cc/saved_model/load_attempt_count",
    "How often a SavedModel was loaded, or not.",
    ("model_path", "status"),
)
LOAD_LATENCY = _REGISTRY.counter(
    "/tensorflow/cc/saved_model/load_latency",
    "Microseconds of loading SavedModels, where that succeeded.",
    ("model_path",),
)
QUEUING_LATENCY = _REGISTRY.histogram(
    "/tensorflow/serving/batching_session/queuing_latency",
    "Microseconds that a request waited for its batch.",
    ("thread_pool_name",),
    metrics.exponential(100, 1.2, 52),
)
WRAPPED_RUN_COUNT = _REGISTRY.counter(
    "/tensorflow/serving/batching_session/wrapped_run_count",
    "Runs of batches.",
)
INPUT_BATCH_SIZE = _REGISTRY.histogram(
    "/tensorflow/serving/batching_session/input_batch_size",
    "Examples of a request.",
    ("thread_pool_name",),
    metrics.exponential(1, 2, 20),
)
PROCESSED_BATCH_SIZE = _REGISTRY.histogram(
    "/tensorflow/serving/batching_session/processed_batch_size",
    "Examples of a run, with those that fill it up.",
    ("thread_pool_name",),
    metrics.exponential(1, 2, 20),
)
PADDING_SIZE = _REGISTRY.histogram(
    "/tensorflow/serving/batching_session/padding_size",
    "Examples that fill a run up to an allowed size.",
    ("thread_pool_name",),
    metrics.exponential(1, 2, 20),
)
# TensorFlow Serving has none of these.
BATCH_REJECTED_COUNT = _REGISTRY.counter(
    "/tf_simmim/serving/batching/rejected_count",
    "Requests that found the queue of batches full.",
)
BATCH_RETRY_COUNT = _REGISTRY.counter(
    "/tf_simmim/serving/batching/retry_count",
    "Requests that ran alone after their batch had failed.",
)
BATCH_ABANDONED_COUNT = _REGISTRY.counter(
    "/tf_simmim/serving/batching/abandoned_count",
    "Requests left out of a batch since nobody waited any more.",
)


def watch(name: str, description: str, read) -> None:
    """Adds a number that is read when Prometheus asks.

    Args:
        name: str, such as "/tf_simmim/serving/pending_requests".
        description: str.
        read: function without arguments that returns an int.
    """
    _REGISTRY.gauge(name, description, read)


def page() -> str:
    """Returns the numbers of this process, as Prometheus reads them."""
    return _REGISTRY.page()


def microseconds_since(began: float) -> int:
    """Returns the time since `time.monotonic()` was `began`."""
    return round((time.monotonic() - began) * 1e6)


@contextlib.contextmanager
def request(versions, model_name: str, api: str, entrypoint: str):
    """Counts a request, and how long it takes if it succeeds.

    Args:
        versions: `ModelVersions`. Names that are not of its models are
            counted as "": a client must not fill memory with names.
        model_name: str.
        api: str, such as "Predict".
        entrypoint: str, "REST" or "GRPC".
    """
    began, status = time.monotonic(), "INTERNAL"
    if not versions.is_configured(model_name):
        model_name = ""
    try:
        yield
        status = "OK"
        REQUEST_LATENCY.observe(
            microseconds_since(began), model_name, api, entrypoint
        )
    except errors.ServingError as error:
        status = error.code
        raise
    finally:
        REQUEST_COUNT.add(model_name, status)


class TimedEngine:
    """An engine whose runs are counted under the name of a model.

    Args:
        engine: with `signatures` and `run`.
        model_name: str.
        api: str, such as "Predict".
    """

    def __init__(self, engine, model_name, api):
        self._engine = engine
        self._labels = (model_name, api, "TF1")
        self.signatures = engine.signatures

    def run(self, *arguments):
        """As of the engine."""
        began = time.monotonic()
        outputs = self._engine.run(*arguments)
        RUNTIME_LATENCY.observe(microseconds_since(began), *self._labels)
        return outputs


def count_examples(model_name: str, number: int) -> None:
    """Counts the examples of a request to classify or regress."""
    REQUEST_EXAMPLE_COUNTS.observe(number, model_name)
    REQUEST_EXAMPLE_COUNT_TOTAL.add(model_name, by=number)
