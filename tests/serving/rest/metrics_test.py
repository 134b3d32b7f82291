"""Tests for what Prometheus reads, over a real socket."""

import re

import pytest

from serving import monitoring
from tests.serving import live_server

PATH = monitoring.DEFAULT_PATH
LINE = re.compile(
    r"# (HELP|TYPE) [a-zA-Z_:][\w:]* .+|"
    r'[a-zA-Z_:][\w:]*\{(\w+="[^"]*",?)*\} [0-9.e+]+'
)


@pytest.fixture(scope="module")
def client(versions):
    with live_server.running(versions, metrics_path=PATH) as found:
        yield found


def read(client):
    """Returns {line without its number: number}."""
    answer = client.ask("GET", PATH)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(
        "text/plain; version=0.0.4"
    )
    lines = answer.body.decode().splitlines()
    for line in lines:
        assert LINE.fullmatch(line), line
    pairs = [line.rpartition(" ") for line in lines if line[0] != "#"]
    return {name: float(number) for name, _, number in pairs}


def test_requests_are_counted_by_model_status_and_time(client):
    before = read(client)
    predict = "/v1/models/half_plus_two:predict"
    client.post(predict, {"instances": [1.0, 2.0]})
    client.post(predict, {"instances": "no list"})
    client.post("/v1/models/nobody:predict", {"instances": [1.0]})
    client.post(
        "/v1/models/half_plus_two:regress",
        {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}] * 3},
    )
    after = read(client)

    def rise(name):
        return after[name] - before.get(name, 0)

    serving = ":tensorflow:serving:"
    model = 'model_name="half_plus_two"'
    assert rise(f'{serving}request_count{{{model},status="OK"}}') == 2
    assert (
        rise(f'{serving}request_count{{{model},status="INVALID_ARGUMENT"}}')
        == 1
    )
    assert (
        rise(f'{serving}request_count{{model_name="",status="NOT_FOUND"}}') == 1
    )
    for api in ("Predict", "Regress"):
        labels = f'{model},API="{api}",entrypoint="REST"'
        assert rise(f"{serving}request_latency_count{{{labels}}}") == 1
        assert rise(f"{serving}request_latency_sum{{{labels}}}") > 0
        labels = f'{model},API="{api}",runtime="TF1"'
        assert rise(f"{serving}runtime_latency_count{{{labels}}}") == 1
    of_model = 'model="half_plus_two"'
    assert rise(f"{serving}request_example_count_total{{{of_model}}}") == 3
    assert ":tensorflow:serving:batching_session:wrapped_run_count{}" in after


def test_without_a_file_there_is_no_such_page(versions):
    with live_server.running(versions) as client:
        assert client.ask("GET", PATH).status == 404
