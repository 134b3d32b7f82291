"""Tests for serving.grpc_api.health_service, over a real socket."""

import contextlib

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1 import health_pb2_grpc

from serving import workers
from serving.grpc_api import health_service
from serving.grpc_api import server
from serving.rest import limits
from tests.serving import live_server

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@contextlib.contextmanager
def running(versions, health):
    """Yields a stub of the health service."""
    address = f"127.0.0.1:{live_server.free_port()}"
    with contextlib.closing(workers.Workers(1, 0, 10.0)) as pool:
        started = server.start(
            versions, pool, limits.Limits(), [address], health
        )
        try:
            with grpc.insecure_channel(address) as channel:
                yield health_pb2_grpc.HealthStub(channel)
        finally:
            started.stop(None).wait()


def check(stub, name):
    request = health_pb2.HealthCheckRequest(service=name)
    return stub.Check(request, timeout=20).status


def test_the_services_serve_while_the_server_is_ready(versions):
    state = {"ready": True}
    health = health_service.HealthService(lambda: state["ready"], seconds=0.01)
    with running(versions, health) as stub:
        watching = stub.Watch(
            health_pb2.HealthCheckRequest(service="PredictionService"),
            timeout=20,
        )
        assert next(watching).status == SERVING
        for name in health_service.SERVICES:
            assert check(stub, name) == SERVING
        state["ready"] = False
        assert next(watching).status == NOT_SERVING
        assert check(stub, "ModelService") == NOT_SERVING
        state["ready"] = True
        assert check(stub, "") == SERVING
        with pytest.raises(grpc.RpcError) as caught:
            check(stub, "another")
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        watching.cancel()
        health.close()
        assert check(stub, "") == NOT_SERVING


def test_it_is_not_there_unless_it_is_asked_for(versions):
    with running(versions, None) as stub:
        with pytest.raises(grpc.RpcError) as caught:
            check(stub, "")
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
