"""The health service that gRPC and Kubernetes know, `grpc.health.v1`."""

import threading

from grpc_health.v1 import health
from grpc_health.v1 import health_pb2

# TensorFlow Serving's, which has them without their packages; "" is all.
SERVICES = ("", "ModelService", "PredictionService")
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthService(health.HealthServicer):
    """Says NOT_SERVING while requests would not be answered.

    Differs from TensorFlow Serving, which says SERVING from its start to its
    end: a stuck server is not ready here.

    Owns a thread that looks every second, for those who `Watch`: `close` ends
    it, and says that the server ends.

    Args:
        is_ready: function without arguments that returns a bool.
        seconds: float > 0. Between two looks.
    """

    def __init__(self, is_ready, seconds=1.0):
        super().__init__()
        self._is_ready = is_ready
        self._looking = threading.Lock()
        self._status = None
        self._closed = threading.Event()
        self._look()
        self._thread = threading.Thread(
            target=self._keep_looking, args=(seconds,), daemon=True
        )
        self._thread.start()

    def Check(self, request, context):  # noqa: N802
        """Answers a call."""
        if not self._closed.is_set():
            self._look()
        return super().Check(request, context)

    def close(self):
        """Says NOT_SERVING from now on."""
        self._closed.set()
        self.enter_graceful_shutdown()
        self._thread.join()

    def _look(self):
        with self._looking:
            status = _SERVING if self._is_ready() else _NOT_SERVING
            if status == self._status:
                # Those who watch are told of changes only.
                return
            self._status = status
            for service in SERVICES:
                self.set(service, status)

    def _keep_looking(self, seconds):
        while not self._closed.wait(seconds):
            self._look()
