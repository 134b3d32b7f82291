"""The parts of a server, as the flags want them."""

import functools

from serving import batch_threads
from serving import engine
from serving import model_loader
from serving import model_versions
from serving import monitoring
from serving import monitoring_config
from serving import readiness
from serving import serve_flags
from serving import workers as worker_threads
from serving.grpc_api import channel_arguments
from serving.grpc_api import health_service
from serving.grpc_api import ssl_config
from serving.page import pictures
from serving.rest import limits as rest_limits


def batching() -> model_loader.Batching | None:
    """Returns how requests are gathered; to be closed: its threads.

    Returns:
        `Batching`, or None: they are not.

    Raises:
        ServingError: --batching_parameters_file is wrong.
    """
    common = serve_flags.common_batching_parameters()
    if common is None:
        return None
    threads = batch_threads.BatchThreads(
        common.num_batch_threads, serve_flags.timeout_seconds()
    )
    monitoring.watch(
        "/tf_simmim/serving/batching/waiting_batches",
        "Batches in all queues.",
        threads.num_waiting,
    )
    per_model = serve_flags.ENABLE_PER_MODEL_BATCHING_PARAMETERS.value
    return model_loader.Batching(threads, None if per_model else common)


def versions(
    batches: model_loader.Batching | None,
) -> model_versions.ModelVersions:
    """Returns the models of a server, none yet; to be closed.

    Args:
        batches: of `batching`.
    """
    load = functools.partial(
        engine.SavedModelEngine,
        tags=serve_flags.SAVED_MODEL_TAGS.value,
        timeout_in_ms=serve_flags.REST_API_TIMEOUT_IN_MS.value,
        intra_op_threads=serve_flags.INTRA_OP_PARALLELISM.value,
        inter_op_threads=serve_flags.INTER_OP_PARALLELISM.value,
    )
    return model_versions.ModelVersions(
        model_loader.ModelLoader(
            load, batches, serve_flags.num_warmup_iterations()
        ),
        max_num_load_retries=serve_flags.MAX_NUM_LOAD_RETRIES.value,
        load_retry_interval_seconds=(
            serve_flags.LOAD_RETRY_INTERVAL_MICROS.value / 1e6
        ),
        allow_version_labels_for_unavailable_models=(
            serve_flags.ALLOW_LABELS.value
        ),
    )


def workers() -> worker_threads.Workers:
    """Returns the threads that answer; to be closed."""
    pool = worker_threads.Workers(
        num_threads=serve_flags.num_threads(),
        max_waiting=serve_flags.MAX_WAITING.value,
        timeout_seconds=serve_flags.timeout_seconds(),
    )
    monitoring.watch(
        "/tf_simmim/serving/pending_requests",
        "Requests that are answered or wait for a thread.",
        pool.num_pending,
    )
    return pool


def limits() -> rest_limits.Limits:
    """Returns what a request may cost."""
    return rest_limits.Limits(
        max_body_bytes=serve_flags.MAX_BODY_BYTES.value,
        max_held_bytes=serve_flags.MAX_HELD_BYTES.value,
        max_batch=serve_flags.MAX_BATCH.value,
    )


def health(
    models: model_versions.ModelVersions,
    pool: worker_threads.Workers,
    batches: model_loader.Batching | None,
) -> health_service.HealthService | None:
    """Returns the health service, to be closed; or None.

    Args:
        models: of `versions`.
        pool: of `workers`.
        batches: of `batching`.
    """
    if not serve_flags.ENABLE_GRPC_HEALTHCHECK_SERVICE.value:
        return None
    threads = None if batches is None else batches.threads
    return health_service.HealthService(
        readiness.Readiness(models, pool, threads).is_ready
    )


def samples() -> tuple[pictures.Picture, ...] | None:
    """Returns the pictures of the page, or None for the built-in ones.

    Raises:
        ServingError: --sample_dir is not a folder of pictures.
    """
    folder = serve_flags.SAMPLE_DIR.value
    return pictures.samples(folder) if folder else None


def metrics_path() -> str | None:
    """Returns where Prometheus reads, or None.

    Raises:
        ServingError: --monitoring_config_file is wrong.
    """
    path = serve_flags.MONITORING_CONFIG_FILE.value
    return monitoring_config.read(path) if path else None


def grpc_options() -> dict:
    """Returns more arguments of `grpc_api.server.start`, by name.

    Raises:
        ServingError: --ssl_config_file or --grpc_channel_arguments is wrong.
    """
    path = serve_flags.SSL_CONFIG_FILE.value
    return {
        "credentials": ssl_config.read(path) if path else None,
        "options": channel_arguments.parse(
            serve_flags.GRPC_CHANNEL_ARGUMENTS.value
        ),
        "allow_reload_config_requests": (
            serve_flags.ALLOW_RELOAD_CONFIG_REQUESTS.value
        ),
    }
