"""Listens for gRPC calls."""

import concurrent.futures

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
) -> grpc.Server:
    """Returns a server that answers calls.

    Args:
        versions: the models. Not closed here.
        pool: threads that compute. Not closed here.
        limits: of a call: size and batch.
        addresses: list of str, such as "127.0.0.1:8500" or "unix:/path".
        health: the health service, if there is one. Not closed here.

    Raises:
        ServingError: an address is taken or not of this machine
            (UNAVAILABLE).
    """
    # They wait for the pool, which refuses what is too many; some are left for
    # questions that are answered at once.
    num_threads = pool.max_pending + 4
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(
            num_threads, thread_name_prefix="grpc"
        ),
        maximum_concurrent_rpcs=num_threads + _MAX_WAITING_CALLS,
        options=[
            (
                "grpc.max_receive_message_length",
                limits.max_body_bytes + _ENVELOPE_BYTES,
            ),
            ("grpc.max_send_message_length", -1),
            # Else two servers may share a port without a word.
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        prediction_service.PredictionService(versions, pool, limits),
        server,
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        model_service.ModelService(versions), server
    )
    if health is not None:
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for address in addresses:
        try:
            port = server.add_insecure_port(address)
        except RuntimeError:
            port = 0
        if not port:
            raise errors.ServingError(
                "UNAVAILABLE", f"gRPC cannot listen on {address}"
            )
    server.start()
    return server
