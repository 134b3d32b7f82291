"""Tests for serving.grpc_api.ssl_config: encrypted calls, over a socket."""

import contextlib

import grpc
import pytest
import trustme
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import model_service_pb2_grpc

from serving import errors
from serving import workers
from serving.grpc_api import server
from serving.grpc_api import ssl_config
from serving.rest import limits
from tests.serving import live_server


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue_cert("localhost", "127.0.0.1")


def key_of(certificate):
    return certificate.private_key_pem.bytes().decode()


def chain_of(certificate):
    return "".join(
        each.bytes().decode() for each in certificate.cert_chain_pems
    )


def write(path, client_verify="false", **pems):
    """Writes an SSLConfig, as an administrator would."""
    # A string of Python is one of the text format, too.
    fields = [f"{name}: {pem!r}" for name, pem in pems.items()]
    path.write_text("\n".join([*fields, f"client_verify: {client_verify}"]))
    return path


@contextlib.contextmanager
def serving(versions, credentials, address=None):
    address = address or f"127.0.0.1:{live_server.free_port()}"
    with contextlib.closing(workers.Workers(2, 4, 60.0)) as pool:
        started = server.start(
            versions, pool, limits.Limits(), [address], credentials=credentials
        )
        try:
            yield address
        finally:
            started.stop(None).wait()


def state_over(channel):
    """Returns what a call over a channel brings: the state of a model."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half_plus_two"
    with channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        response = stub.GetModelStatus(request, timeout=20)
    return response.model_version_status[0].state


AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


def test_calls_are_encrypted(tmp_path, versions, authority, certificate):
    path = write(
        tmp_path / "ssl.config",
        server_key=key_of(certificate),
        server_cert=chain_of(certificate),
    )
    root = authority.cert_pem.bytes()
    with serving(versions, ssl_config.read(path)) as address:
        trusting = grpc.ssl_channel_credentials(root)
        assert state_over(grpc.secure_channel(address, trusting)) == AVAILABLE
        stranger = trustme.CA().cert_pem.bytes()
        doubting = grpc.ssl_channel_credentials(stranger)
        for channel in (
            grpc.insecure_channel(address),
            grpc.secure_channel(address, doubting),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                state_over(channel)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_clients_show_who_they_are_where_they_must(
    tmp_path, versions, authority, certificate
):
    path = write(
        tmp_path / "ssl.config",
        server_key=key_of(certificate),
        server_cert=chain_of(certificate),
        custom_ca=authority.cert_pem.bytes().decode(),
        client_verify="true",
    )
    root = authority.cert_pem.bytes()
    known = authority.issue_cert("client.example")
    unknown = trustme.CA().issue_cert("client.example")
    with serving(versions, ssl_config.read(path)) as address:
        for of_client, is_let_in in (
            (known, True),
            (unknown, False),
            (None, False),
        ):
            shown = ()
            if of_client is not None:
                shown = (
                    key_of(of_client).encode(),
                    chain_of(of_client).encode(),
                )
            channel = grpc.secure_channel(
                address, grpc.ssl_channel_credentials(root, *shown)
            )
            if is_let_in:
                assert state_over(channel) == AVAILABLE
                continue
            with pytest.raises(grpc.RpcError) as caught:
                state_over(channel)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_unix_socket_is_not_encrypted(tmp_path, versions, certificate):
    path = write(
        tmp_path / "ssl.config",
        server_key=key_of(certificate),
        server_cert=chain_of(certificate),
    )
    with serving(
        versions, ssl_config.read(path), f"unix:{tmp_path}/socket"
    ) as address:
        assert state_over(grpc.insecure_channel(address)) == AVAILABLE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Missing in the SSLConfig .*: server_key, server_cert"),
        ("server_key: 'x'", "ssl.config': server_cert$"),
        (
            "server_key: 'x' server_cert: 'y' client_verify: true",
            "Missing .*: custom_ca",
        ),
        ("server_keys: 'x'", "Error parsing text-format"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path, text, message):
    path = tmp_path / "ssl.config"
    path.write_text(text)
    with pytest.raises(errors.ServingError, match=message):
        ssl_config.read(path)


def test_a_key_that_is_none_is_refused_at_the_start(tmp_path, versions):
    path = write(tmp_path / "ssl.config", server_key="x", server_cert="y")
    with pytest.raises(
        errors.ServingError,
        match="cannot listen .* no key and certificate that fit",
    ):
        with serving(versions, ssl_config.read(path)):
            pass
