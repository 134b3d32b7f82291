"""Encrypts gRPC: TensorFlow Serving's file of keys and certificates."""

import os

import grpc

from serving import errors
from serving import text_messages

_MESSAGE = text_messages.message_class(
    "SSLConfig",
    {
        "SSLConfig": {
            "server_key": (1, "string"),
            "server_cert": (2, "string"),
            "custom_ca": (3, "string"),
            "client_verify": (4, "bool"),
        }
    },
)


def read(path: str | os.PathLike) -> grpc.ServerCredentials:
    """Reads a `--ssl_config_file`.

    Args:
        path: file with a `tensorflow.serving.SSLConfig` as text. The key and
            the certificates stand in it themselves, as PEM.

    Returns:
        `grpc.ServerCredentials`. With `client_verify`, of clients that show a
        certificate signed by one of `custom_ca`, and of no others.

    Raises:
        ServingError: the file cannot be read (NOT_FOUND), is no such text, or
            leaves out what is needed (INVALID_ARGUMENT). Whether a key fits
            its certificate shows when a server is to listen.
    """
    found = text_messages.read(path, _MESSAGE)
    needed = ["server_key", "server_cert"]
    if found.client_verify:
        needed.append("custom_ca")
    missing = [name for name in needed if not getattr(found, name)]
    if missing:
        raise errors.invalid_argument(
            f"Missing in the SSLConfig '{path}': {', '.join(missing)}"
        )
    return grpc.ssl_server_credentials(
        [(found.server_key.encode(), found.server_cert.encode())],
        root_certificates=found.custom_ca.encode() or None,
        require_client_auth=found.client_verify,
    )
