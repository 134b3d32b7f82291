"""Tests for serving.rest.routes: the contract, over a real socket."""

import base64
import gzip
import http.client
import json
import pathlib
import socket
import threading
import time

import pytest

from serving import engine
from serving import errors
from serving import model_config
from serving import model_versions
from serving.rest import errors as rest_errors
from serving.rest import limits
from tests.serving import live_server
from tests.serving import saved_models

GOLDEN = pathlib.Path(__file__).parents[2] / "golden/serving/rest.json"
EXCHANGES = json.loads(GOLDEN.read_text(encoding="utf-8"))
PREDICT = "/v1/models/half_plus_two/versions/123:predict"


@pytest.mark.parametrize(
    "exchange", EXCHANGES, ids=[exchange["name"] for exchange in EXCHANGES]
)
def test_the_answer_is_that_of_tensorflow_serving(client, exchange):
    body = exchange.get("text")
    if body is None and "body" in exchange:
        body = json.dumps(exchange["body"])
    answer = client.ask(
        exchange["method"], exchange["path"], body and body.encode()
    )
    assert answer.status == exchange["status"], answer.body
    assert answer.headers["content-type"] == "application/json"
    if exchange["status"] != 200:
        assert set(answer.json()) == {"error"}
    if "json" in exchange:
        assert_same(answer.json(), exchange["json"])
    if "json_contains" in exchange:
        assert_contains(answer.json(), exchange["json_contains"])
    if "error" in exchange:
        assert answer.json()["error"] == exchange["error"]
    if "error_contains" in exchange:
        assert exchange["error_contains"] in answer.json()["error"]


def assert_same(value, expected):
    assert value == expected
    # 1 == 1.0 == True for Python; the contract tells them apart.
    if isinstance(expected, list):
        for one, other in zip(value, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        for key in expected:
            assert_same(value[key], expected[key])
    else:
        assert type(value) is type(expected)


def assert_contains(value, expected):
    if isinstance(expected, dict) and expected:
        for key in expected:
            assert_contains(value[key], expected[key])
    else:
        assert value == expected


def test_there_are_as_many_exchanges_as_promised():
    assert len({exchange["name"] for exchange in EXCHANGES}) == len(EXCHANGES)
    assert len(EXCHANGES) >= 60


def test_a_request_names_no_content_type_as_curl_does(client):
    answer = client.post(
        PREDICT,
        {"instances": [1.0]},
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.json() == {"predictions": [2.5]}


def test_a_body_may_be_compressed(client):
    body = gzip.compress(b'{"instances": [1.0, 2.0]}')
    gzipped = {"Content-Encoding": "gzip"}
    answer = client.ask("POST", PREDICT, body, headers=gzipped)
    assert answer.json() == {"predictions": [2.5, 3.0]}
    for damaged in (b"{}", body[:-9]):
        answer = client.ask("POST", PREDICT, damaged, headers=gzipped)
        assert answer.status == 400
        assert answer.json() == {"error": "The body is no gzip"}


def test_bytes_that_are_no_utf_8_go_through_text(client):
    body = b'{"signature_name": "echo_string", "inputs": "\xff\xfe"}'
    answer = client.ask("POST", "/v1/models/kinds:predict", body)
    assert answer.status == 200
    assert b'"\xff\xfe"' in answer.body


def test_a_picture_of_bytes_comes_back_as_pixels(client):
    file, pixels = saved_models.png()
    answer = client.post(
        "/v1/models/kinds:predict",
        {
            "signature_name": "png",
            "instances": [{"b64": base64.b64encode(file).decode()}] * 2,
        },
    )
    assert answer.json() == {"predictions": [pixels.tolist()] * 2}


def test_health_and_readiness(client):
    assert client.ask("GET", "/healthz").status == 200
    ready = client.ask("GET", "/readyz")
    assert ready.status == 200
    assert ready.json() == {
        "ready": True,
        "unavailable_models": [],
        "workers_stuck": False,
    }


def test_pages_from_elsewhere_may_ask_where_they_are_let(versions, client):
    document = {"instances": [1.0]}
    path = "/v1/models/half_plus_two/versions/123:predict"
    origin = {"Origin": "http://elsewhere.example"}
    # What a browser asks before it sends a POST of JSON.
    preflight = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = client.post(path, document, headers=origin)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.ask("OPTIONS", path, headers=preflight).status == 400

    with live_server.running(versions, allow_other_origins=True) as open_one:
        answer = open_one.ask("OPTIONS", path, headers=preflight)
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Headers"] == "content-type"
        answer = open_one.post(path, document, headers=origin)
        assert answer.json() == {"predictions": [2.5]}
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        # Errors, too, are for the page that asked.
        answer = open_one.post(path, {}, headers=origin)
        assert answer.status == 400
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_no_request_brings_advice_for_us_into_the_log(versions, capfd):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    with live_server.running(versions) as started:
        assert started.ask("GET", "/healthz", headers=upgrade).status == 200
        with socket.create_connection(("127.0.0.1", started.port)) as sent:
            sent.sendall(b"this is no HTTP\r\n\r\n")
            assert sent.recv(100).startswith(b"HTTP/1.1 400 ")
    assert capfd.readouterr() == ("", "")


def test_nothing_is_said_of_the_server_itself(client):
    answer = client.ask("GET", "/none")
    assert answer.status == 404
    assert answer.json() == {"error": "Not found: /none"}
    assert answer.headers["server"] is None


class FakeEngine:
    """An engine whose signatures do as they are told."""

    signatures = {}

    def __init__(self, run=None):
        self.signatures = {"serving_default": FakeSignature()}
        self.run = run

    def close(self):
        pass


class FakeSignature:
    """Of no inputs, so that classify asks for it and predict does not."""

    inputs = {"inputs": None}
    outputs = {"scores": None}


@pytest.fixture
def fake(tmp_path):
    """Serves one model whose engine runs the function it is given."""
    (tmp_path / "1").mkdir()
    loaded = []

    def start(run, **kwargs):
        versions = model_versions.ModelVersions(lambda path: FakeEngine(run))
        versions.configure([model_config.ModelConfig("m", str(tmp_path))])
        versions.wait_until_available()
        server = live_server.running(versions, **kwargs)
        loaded.append((server, versions))
        return server.__enter__()

    yield start
    for server, versions in loaded:
        server.__exit__(None, None, None)
        versions.close()


CLASSIFY = ("/v1/models/m:classify", {"examples": [{"x": 1.0}]})


def test_an_error_of_our_own_is_not_told(fake, caplog):
    def run(*_):
        raise KeyError("/secret/path")

    answer = fake(run).post(*CLASSIFY)
    assert answer.status == 500
    assert answer.json() == {"error": "Internal error"}
    assert "/secret/path" in caplog.text


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("CANCELLED", 499),
        ("UNKNOWN", 500),
        ("INVALID_ARGUMENT", 400),
        ("DEADLINE_EXCEEDED", 504),
        ("NOT_FOUND", 404),
        ("ALREADY_EXISTS", 409),
        ("PERMISSION_DENIED", 403),
        ("RESOURCE_EXHAUSTED", 429),
        ("FAILED_PRECONDITION", 400),
        ("ABORTED", 409),
        ("OUT_OF_RANGE", 400),
        ("UNIMPLEMENTED", 501),
        ("INTERNAL", 500),
        ("UNAVAILABLE", 503),
        ("DATA_LOSS", 500),
        ("UNAUTHENTICATED", 401),
    ],
)
def test_each_code_has_the_status_of_tensorflow_serving(code, status):
    assert rest_errors.status_of(errors.ServingError(code, "x")) == status
    assert set(rest_errors.HTTP_STATUS) == set(errors.CODES[1:])


def test_a_full_queue_is_told_at_once_and_a_stuck_server_is_not_ready(fake):
    release = threading.Event()

    def run(*_):
        release.wait(20)
        raise errors.invalid_argument("done")

    client = fake(run, num_threads=1, max_waiting=1, timeout_seconds=0.5)
    answers = []

    def ask():
        answers.append(client.post(*CLASSIFY).status)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    refused = client.post(*CLASSIFY)
    assert refused.status == 503
    assert refused.headers["retry-after"] == "1"
    assert "queue is full" in refused.json()["error"]

    for thread in threads:
        thread.join()
    assert answers == [504, 504]  # one that ran, one that waited
    assert client.ask("GET", "/healthz").status == 200
    stuck = client.ask("GET", "/readyz")
    assert stuck.status == 503
    assert stuck.json()["workers_stuck"] is True

    release.set()
    deadline = time.monotonic() + 10
    while client.ask("GET", "/readyz").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert client.post(*CLASSIFY).json() == {"error": "done"}


def test_a_server_without_a_model_is_not_ready(tmp_path):
    versions = model_versions.ModelVersions(lambda path: FakeEngine())
    versions.configure([model_config.ModelConfig("m", str(tmp_path))])
    with live_server.running(versions) as client:
        answer = client.ask("GET", "/readyz")
    versions.close()
    assert answer.status == 503
    assert answer.json()["unavailable_models"] == ["m"]


@pytest.fixture(scope="module")
def limited(versions):
    small = limits.Limits(
        max_body_bytes=1000,
        max_batch=3,
        max_json_depth=5,
        body_timeout_seconds=0.3,
    )
    with live_server.running(versions, limits=small) as client:
        yield client


def padded(size):
    body = b'{"instances": [1.0]'
    return body + b" " * (size - len(body) - 1) + b"}"


def test_a_body_may_be_as_large_as_the_limit_and_no_larger(limited):
    assert limited.ask("POST", PREDICT, padded(1000)).status == 200
    answer = limited.ask("POST", PREDICT, padded(1001))
    assert answer.status == 413
    assert "larger than 1000 bytes" in answer.json()["error"]


def test_a_body_of_unknown_length_is_counted_as_it_comes(limited):
    connection = http.client.HTTPConnection(
        "127.0.0.1", limited.port, timeout=10
    )
    parts = (padded(1001)[i : i + 100] for i in range(0, 1001, 100))
    connection.request("POST", PREDICT, parts, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_body_counts_as_large_as_it_is_inflated(limited):
    bomb = gzip.compress(b" " * 10**6)
    assert len(bomb) < 1100
    for body in (gzip.compress(padded(1001)), bomb[:1000]):
        answer = limited.ask(
            "POST", PREDICT, body, headers={"Content-Encoding": "gzip"}
        )
        assert answer.status == 413


def test_a_body_that_does_not_arrive_is_given_up(limited):
    with socket.create_connection(("127.0.0.1", limited.port), 10) as sender:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
        sender.sendall(f"{head}\r\n{{".encode())
        assert sender.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_batch_larger_than_the_limit_is_refused(limited):
    for path, document in (
        (PREDICT, {"instances": [1.0] * 4}),
        (
            "/v1/models/kinds:predict",
            {"signature_name": "fifth", "inputs": [1.0] * 4},
        ),
        ("/v1/models/kinds:classify", {"examples": [{}] * 4}),
    ):
        answer = limited.post(path, document)
        assert answer.status == 400
        assert "may hold 3 examples" in answer.json()["error"]
    assert limited.post(PREDICT, {"instances": [1.0] * 3}).status == 200


def test_brackets_deeper_than_the_limit_are_refused(limited):
    assert limited.post(PREDICT, {"instances": [[[[1.0]]]]}).status == 200
    answer = limited.post(PREDICT, {"instances": [[[[[1.0]]]]]})
    assert answer.status == 400
    assert "nested deeper than 5 levels" in answer.json()["error"]


def test_a_run_that_takes_too_long_is_cancelled(models):
    versions = model_versions.ModelVersions(
        lambda path: engine.SavedModelEngine(path, timeout_in_ms=1000)
    )
    versions.configure(
        [model_config.ModelConfig("kinds", str(models / "kinds"))]
    )
    versions.wait_until_available()
    with live_server.running(versions, num_threads=1) as client:
        # Two thousand million steps take hours.
        answer = client.post(
            "/v1/models/kinds:predict",
            {"signature_name": "slow", "inputs": [2**31 - 1]},
        )
        assert answer.status == 504
        # Its thread is free again.
        answer = client.post(
            "/v1/models/kinds:predict",
            {"signature_name": "slow", "inputs": [3]},
        )
        assert answer.status == 200
    versions.close()
