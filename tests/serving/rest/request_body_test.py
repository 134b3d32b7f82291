"""Tests for serving.rest.request_body: what all bodies take, over sockets.

Limits of one body are tested in routes_test.
"""

import asyncio
import contextlib
import gzip
import http.client
import socket
import time

import pytest
from starlette import requests

from serving import errors
from serving.rest import errors as rest_errors
from serving.rest import limits
from serving.rest import request_body
from tests.serving import live_server

PREDICT = "/v1/models/half_plus_two/versions/123:predict"
LIMITS = limits.Limits(max_body_bytes=1000, max_held_bytes=1000)


def padded(size):
    body = b'{"instances": [1.0]'
    return body + b" " * (size - len(body) - 1) + b"}"


@pytest.fixture
def client(versions):
    with live_server.running(versions, limits=LIMITS) as client:
        yield client


@contextlib.contextmanager
def half_sent(client, size):
    """Sends all but the last byte of a body; yields what sends that."""
    body = padded(size)
    connection = http.client.HTTPConnection(
        "127.0.0.1", client.port, timeout=10
    )
    with contextlib.closing(connection):
        connection.putrequest("POST", PREDICT)
        connection.putheader("Content-Length", str(size))
        connection.endheaders(body[:-1])

        def finish():
            connection.send(body[-1:])
            response = connection.getresponse()
            return response.status, response.read()

        yield finish


def ask_until(client, status, size):
    """Asks until an answer has a status: a server needs time to read."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = client.ask("POST", PREDICT, padded(size))
        if answer.status == status:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"no {status} in time, but {answer.status}")


def test_a_body_that_finds_no_room_is_refused_and_may_come_again(client):
    with half_sent(client, 600) as finish:
        answer = ask_until(client, 503, 500)
        assert answer.headers["Retry-After"] == "1"
        assert "together would be larger than 1000" in answer.json()["error"]
        # There is room for a smaller one.
        assert client.ask("POST", PREDICT, padded(400)).status == 200
        assert finish() == (200, b'{\n    "predictions": [2.5]\n}\n')
    assert client.ask("POST", PREDICT, padded(1000)).status == 200


def test_a_refused_body_holds_nothing_while_the_rest_of_it_comes(client):
    with half_sent(client, 600) as finish_first:
        ask_until(client, 503, 500)
        with half_sent(client, 500) as finish_second:
            ask_until(client, 200, 400)
            assert finish_second()[0] == 503
        assert finish_first()[0] == 200


def test_bodies_that_break_off_leave_room(client):
    for _ in range(5):
        with half_sent(client, 900):
            pass
    ask_until(client, 200, 1000)


def test_a_body_is_held_until_its_answer():
    bodies = request_body.RequestBodies(LIMITS)

    async def read(size, *others):
        messages = iter(
            [{"type": "http.request", "body": b"x" * size, "more_body": False}]
        )

        async def receive():
            return next(messages)

        scope = {"type": "http", "method": "POST", "headers": []}
        async with bodies.reading(requests.Request(scope, receive)) as body:
            assert len(body) == size
            # The request of `size` bytes is being answered.
            for other in others:
                await read(other)

    asyncio.run(read(600, 400, 400))
    with pytest.raises(errors.ServingError, match="together") as refused:
        asyncio.run(read(600, 401))
    assert refused.value.code == "UNAVAILABLE"
    asyncio.run(read(1000))


@pytest.mark.parametrize(
    ("blocked", "arrives_after", "expected"),
    [
        # While something else keeps the loop, the body comes: it is read.
        (0.3, 0.2, "read"),
        (0.3, None, 503),
        (0.0, None, 408),
    ],
)
def test_the_time_in_which_the_server_is_late_is_not_the_clients(
    blocked, arrives_after, expected
):
    bodies = request_body.RequestBodies(
        limits.Limits(body_timeout_seconds=0.15)
    )

    async def read():
        sent = asyncio.get_running_loop().create_future()

        async def receive():
            if sent.done():
                return {"type": "http.request", "body": b"end"}
            asyncio.get_running_loop().call_soon(time.sleep, blocked)
            if arrives_after is not None:
                asyncio.get_running_loop().call_later(
                    arrives_after, sent.set_result, None
                )
            await sent
            return {"type": "http.request", "body": b"the ", "more_body": True}

        scope = {"type": "http", "method": "POST", "headers": []}
        async with bodies.reading(requests.Request(scope, receive)) as body:
            return body

    if expected == "read":
        assert asyncio.run(read()) == b"the end"
        return
    with pytest.raises(rest_errors.RefusedBodyError) as refused:
        asyncio.run(read())
    assert refused.value.status == expected


def test_an_inflated_body_counts_as_well(client):
    compressed = gzip.compress(padded(960))
    assert len(compressed) < 100
    headers = {"Content-Encoding": "gzip"}
    answer = client.ask("POST", PREDICT, compressed, headers)
    # Both are there for a moment.
    assert answer.status == 503
    compressed = gzip.compress(padded(900))
    assert client.ask("POST", PREDICT, compressed, headers).status == 200


def test_a_client_that_still_sends_reads_the_answer(client):
    """It is not reset: the server reads what it will not keep."""
    with half_sent(client, 600):
        ask_until(client, 503, 500)
        with socket.create_connection(("127.0.0.1", client.port), 10) as one:
            one.sendall(
                f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n"
                "Content-Length: 900\r\n\r\n".encode()
            )
            for part in range(9):
                one.sendall(padded(900)[100 * part : 100 * part + 100])
                time.sleep(0.02)
            assert one.recv(1000).startswith(b"HTTP/1.1 503 ")


def test_less_room_for_all_than_for_one_is_refused():
    with pytest.raises(ValueError, match="`max_held_bytes` must be at least"):
        limits.Limits(max_body_bytes=1001, max_held_bytes=1000)
