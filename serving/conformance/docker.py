"""TensorFlow Serving in a container, with the models of the exchanges."""

import contextlib
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.request

from serving.conformance import models

# The newest release that has a tag; the image is for x86-64 only.
IMAGE = "tensorflow/serving:2.20.0"
# Inside the container: the image's entry point names them.
_GRPC_PORT, _REST_PORT = 8500, 8501


def command(
    folder: pathlib.Path, image: str, grpc_port: int, rest_port: int
) -> list[str]:
    """Returns the command that serves until it is interrupted.

    Args:
        folder: path, absolute. What `models.write` returned.
        image: str. Of TensorFlow Serving.
        grpc_port: int. On this machine.
        rest_port: int. On this machine.
    """
    return [
        *("docker", "run", "--rm", "--init", "--read-only"),
        *("--user", "1000:1000", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges"),
        *("--publish", f"127.0.0.1:{grpc_port}:{_GRPC_PORT}"),
        *("--publish", f"127.0.0.1:{rest_port}:{_REST_PORT}"),
        # Under the same path, so that the file fits inside and outside.
        *("--volume", f"{folder}:{folder}:ro"),
        *(image, *models.server_flags(folder)),
    ]


@contextlib.contextmanager
def running(image: str, wait_seconds: float):
    """Runs the container meanwhile; yields its ports of gRPC and REST.

    Args:
        image: str. Of TensorFlow Serving.
        wait_seconds: float. For the image to be there and the models loaded.

    Raises:
        OSError: there is no Docker, or no model in time.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = models.write(name)
        ports = _free_port(), _free_port()
        process = subprocess.Popen(
            command(folder, image, *ports), stdout=subprocess.DEVNULL
        )
        try:
            _wait_until_available(ports[1], process, wait_seconds)
            yield ports
        finally:
            process.terminate()
            process.wait()


def _wait_until_available(port, process, wait_seconds):
    deadline = time.monotonic() + wait_seconds
    waiting = [
        f"http://127.0.0.1:{port}/v1/models/{name}/metadata"
        for name in models.NAMES
    ]
    while waiting:
        if process.poll() is not None:
            raise OSError(f"docker ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise OSError(f"no model within {wait_seconds:g} s")
        # 404 until a version is available.
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(waiting[-1], timeout=5):
                waiting.pop()
                continue
        time.sleep(0.2)


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
