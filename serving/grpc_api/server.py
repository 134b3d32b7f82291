"""Listens for gRPC calls."""

import concurrent.futures
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving import errors
from serving import model_versions
from serving import workers
from serving.grpc_api import health_service
from serving.grpc_api import model_service
from serving.grpc_api import prediction_service
from serving.rest import limits as rest_limits

# Calls that wait for a thread, to be refused in a moment with UNAVAILABLE, for
# which clients try again. What comes beyond, gRPC refuses by itself, with
# RESOURCE_EXHAUSTED. A message is not read before its call has a thread.
_MAX_WAITING_CALLS = 1000
# Room for what surrounds tensors in a message.
_ENVELOPE_BYTES = 64 * 1024


def start(
    versions: model_versions.ModelVersions,
    pool: workers.Workers,
    limits: rest_limits.Limits,
    addresses: list[str],
    health: health_service.HealthService | None = None,
    credentials: grpc.ServerCredentials | None = None,
    options: Mapping[str, int | str] | None = None,
    allow_reload_config_requests: bool = False,
) -> grpc.Server:
    """Returns a server that answers calls.

    Args:
        versions: the models. Not closed here.
        pool: threads that compute. Not closed here.
        limits: of a call: size and batch.
        addresses: list of str, such as "127.0.0.1:8500" or "unix:/path".
        health: the health service, if there is one. Not closed here.
        credentials: of encrypted connections; a UNIX socket has none. None:
            nothing is encrypted.
        options: {name: value}, of gRPC. They hold before those set here.
        allow_reload_config_requests: bool. Whether callers may choose what is
            served, and so load any folder that the process can read.

    Raises:
        ServingError: an address is taken or not of this machine,
            or `credentials` are no key and certificate that fit (UNAVAILABLE).
    """
    # They wait for the pool, which refuses what is too many; some are left for
    # questions that are answered at once.
    num_threads = pool.max_pending + 4
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(
            num_threads, thread_name_prefix="grpc"
        ),
        maximum_concurrent_rpcs=num_threads + _MAX_WAITING_CALLS,
        options=[*{**_options(limits), **(options or {})}.items()],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        prediction_service.PredictionService(versions, pool, limits),
        server,
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        model_service.ModelService(versions, allow_reload_config_requests),
        server,
    )
    if health is not None:
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for address in addresses:
        _listen(server, address, credentials)
    server.start()
    return server


def _options(limits):
    return {
        "grpc.max_receive_message_length": (
            limits.max_body_bytes + _ENVELOPE_BYTES
        ),
        "grpc.max_send_message_length": -1,
        # Else two servers may share a port without a word.
        "grpc.so_reuseport": 0,
    }


def _listen(server, address, credentials):
    is_encrypted = credentials is not None and not address.startswith("unix:")
    try:
        if is_encrypted:
            port = server.add_secure_port(address, credentials)
        else:
            port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        reason = f"gRPC cannot listen on {address}"
        if is_encrypted:
            reason += ", or has no key and certificate that fit each other"
        raise errors.ServingError("UNAVAILABLE", reason)
