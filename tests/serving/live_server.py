"""Runs the HTTP server in a thread, and talks to it over a real socket."""

import contextlib
import dataclasses
import http.client
import json
import socket
import threading
import time

from serving import http_server
from serving import workers
from serving.page import routes as page_routes
from serving.rest import limits as rest_limits
from serving.rest import routes


@dataclasses.dataclass
class Answer:
    """What came back.

    Attributes:
        status: int.
        headers: of `http.client`.
        body: bytes.
    """

    status: int
    headers: object
    body: bytes

    def json(self):
        """Returns the value; `NaN` and `Infinity` are strings."""
        return json.loads(self.body, parse_constant=str)


class Client:
    """Sends single requests to a port of this machine."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, headers=(), timeout=20):
        """Returns the `Answer` to a request; `body` is bytes or None."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=timeout
        )
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def post(self, path, document, **kwargs):
        """Returns the `Answer` to a JSON document."""
        return self.ask("POST", path, json.dumps(document).encode(), **kwargs)


def free_port():
    """Returns a port that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(
    versions,
    num_threads=2,
    max_waiting=4,
    timeout_seconds=10.0,
    limits=None,
    grpc_address=None,
    samples=None,
    **kwargs,
):
    """Serves `ModelVersions` while the context lasts; yields a `Client`.

    `grpc_address` and `samples` are for the page; other arguments are those of
    `routes.application`.
    """
    pool = workers.Workers(num_threads, max_waiting, timeout_seconds)
    limits = limits or rest_limits.Limits()
    port = free_port()
    server = http_server.server(
        routes.application(
            versions,
            pool,
            limits,
            more_routes=page_routes.routes(
                versions, limits, grpc_address, samples
            ),
            **kwargs,
        ),
        "127.0.0.1",
        port,
        grace_seconds=1,
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield Client(port)
    finally:
        server.should_exit = True
        thread.join()
        pool.close()
