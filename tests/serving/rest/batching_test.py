"""Tests for batches under requests, over a real socket."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import struct
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from serving import batch_threads
from serving import batching_parameters
from serving import engine
from serving import model_config
from serving import model_loader
from serving import model_versions
from serving import monitoring
from tests.export import tiny
from tests.serving import live_server
from tests.serving import saved_models
from tf_simmim import export

PREDICT = "/v1/models/kinds:predict"
NUM_TOGETHER = 8


@contextlib.contextmanager
def serving(load, folder, parameters, timeout_seconds=10.0, **kwargs):
    """Yields a client of a server with one thread that computes batches."""
    threads = batch_threads.BatchThreads(1, timeout_seconds)
    batching = model_loader.Batching(threads, parameters)
    with contextlib.ExitStack() as stack:
        stack.callback(threads.close)
        versions = model_versions.ModelVersions(
            model_loader.ModelLoader(load, batching)
        )
        stack.callback(versions.close)
        versions.configure([model_config.ModelConfig("kinds", str(folder))])
        versions.wait_until_available()
        yield stack.enter_context(
            live_server.running(
                versions,
                timeout_seconds=timeout_seconds,
                batches=threads,
                **kwargs,
            )
        )


@pytest.fixture(scope="module")
def client(models):
    parameters = batching_parameters.BatchingParameters(
        max_batch_size=NUM_TOGETHER,
        # They are computed as soon as there are so many.
        batch_timeout_micros=5_000_000,
        allowed_batch_sizes=(1, 4, NUM_TOGETHER),
    )
    with serving(
        engine.SavedModelEngine,
        models / "kinds",
        parameters,
        num_threads=2 * NUM_TOGETHER,
    ) as found:
        yield found


def ask_together(client, documents):
    with concurrent.futures.ThreadPoolExecutor(len(documents)) as pool:
        return list(
            pool.map(lambda document: client.post(PREDICT, document), documents)
        )


def of_file(file):
    value = {"b64": base64.b64encode(file).decode()}
    return {"signature_name": "png", "instances": [value]}


def test_a_damaged_image_fails_its_own_request_and_no_other(client):
    file, pixels = saved_models.png()
    files = [file] * NUM_TOGETHER
    files[5] = file[:40]
    runs = monitoring.WRAPPED_RUN_COUNT.value()
    answers = ask_together(client, [of_file(each) for each in files])
    # They were together, and then apart.
    assert monitoring.WRAPPED_RUN_COUNT.value() == runs + 1 + NUM_TOGETHER
    assert [answer.status for answer in answers] == [
        400 if i == 5 else 200 for i in range(NUM_TOGETHER)
    ]
    for i, answer in enumerate(answers):
        if i != 5:
            assert answer.json() == {"predictions": [pixels.tolist()]}


def test_requests_are_computed_in_one_run(client):
    runs = monitoring.WRAPPED_RUN_COUNT.value()
    answers = ask_together(
        client,
        [
            {"signature_name": "fifth", "instances": [5.0 * i, 50.0]}
            for i in range(NUM_TOGETHER // 2)
        ],
    )
    assert monitoring.WRAPPED_RUN_COUNT.value() == runs + 1
    assert [answer.json() for answer in answers] == [
        {"predictions": [float(i), 10.0]} for i in range(NUM_TOGETHER // 2)
    ]


def test_a_request_larger_than_a_batch_is_a_bad_request(client):
    answer = client.post(
        PREDICT, {"signature_name": "fifth", "instances": [1.0] * 9}
    )
    assert answer.status == 400
    assert answer.json()["error"] == (
        "Task size 9 is larger than maximum input batch size 8"
    )


class Signature:
    inputs = {"inputs": None}
    outputs = {"scores": None}


class HangingEngine:
    """Its runs wait."""

    signatures = {"serving_default": Signature}

    def __init__(self, _):
        HangingEngine.release = threading.Event()
        HangingEngine.runs = []

    def prepare(self):
        pass

    def run(self, _, inputs):
        self.runs.append(inputs["inputs"].tolist())
        self.release.wait(20)
        return {"scores": [[]]}

    def close(self):
        pass


@pytest.fixture
def hanging(tmp_path):
    (tmp_path / "1").mkdir()
    parameters = batching_parameters.BatchingParameters(
        max_batch_size=1, max_enqueued_batches=1
    )
    with serving(
        HangingEngine,
        tmp_path,
        parameters,
        timeout_seconds=1.0,
        num_threads=8,
    ) as client:
        yield client
        HangingEngine.release.set()


CLASSIFY = ("/v1/models/kinds:classify", {"examples": [{"x": 1.0}]})


def test_a_hanging_batch_sheds_requests_and_is_not_ready(hanging):
    assert hanging.ask("GET", "/readyz").status == 200
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(hanging.post, *CLASSIFY)]
        while not HangingEngine.runs:
            time.sleep(0.001)
        futures += [pool.submit(hanging.post, *CLASSIFY) for _ in range(5)]
        answers = [future.result() for future in futures]
    # One computed and one waited, both for too long.
    assert sorted(each.status for each in answers) == [503] * 4 + [504] * 2
    for each in answers:
        if each.status == 503:
            assert each.headers["retry-after"] == "1"
            assert (
                "queue to which this task was submitted is full"
                in (each.json()["error"])
            )
    assert len(HangingEngine.runs) == 1
    wait_for(hanging, 503)
    # What waited is not computed when the thread is free again.
    HangingEngine.release.set()
    wait_for(hanging, 200)
    assert len(HangingEngine.runs) == 1


def wait_for(client, status):
    deadline = time.monotonic() + 10
    while client.ask("GET", "/readyz").status != status:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_hangs_up_is_not_computed_for(hanging):
    first = http.client.HTTPConnection("127.0.0.1", hanging.port, timeout=20)
    second = http.client.HTTPConnection("127.0.0.1", hanging.port, timeout=20)
    path, document = CLASSIFY
    abandoned = monitoring.BATCH_ABANDONED_COUNT.value()
    first.request("POST", path, json.dumps(document))
    while not HangingEngine.runs:
        time.sleep(0.001)
    asked = monitoring.INPUT_BATCH_SIZE.count("batch_threads")
    second.request("POST", path, json.dumps(document))
    while monitoring.INPUT_BATCH_SIZE.count("batch_threads") == asked:
        time.sleep(0.001)
    second.close()
    time.sleep(0.1)
    HangingEngine.release.set()
    deadline = time.monotonic() + 0.5
    while monitoring.BATCH_ABANDONED_COUNT.value() == abandoned:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert len(HangingEngine.runs) == 1
    first.close()


@pytest.mark.slow
def test_an_export_is_batched_as_it_says_itself(tmp_path):
    model = tiny.simmim()
    preprocessing = tiny.preprocessing(model)
    folder = export.write_export(
        tmp_path, model, preprocessing, max_batch_size=4, verify=False
    )
    files = list(tiny.files(4).numpy())
    functions = export.Signatures(model, preprocessing).functions()
    want = functions["features"](tf.constant(files))["features"].numpy()
    # Longer than the exporter would wait, so that some meet.
    path = folder / batching_parameters.FILE_NAME
    text = path.read_text()
    assert "batch_timeout_micros { value: 0 }" in text
    path.write_text(
        text.replace("micros { value: 0 }", "micros { value: 300000 }")
    )
    warm = monitoring.MODEL_WARMUP_LATENCY.count(str(folder), "OK")
    with serving(
        engine.SavedModelEngine,
        tmp_path,
        None,
        timeout_seconds=60.0,
        num_threads=8,
    ) as client:
        count = monitoring.MODEL_WARMUP_LATENCY.count(str(folder), "OK")
        assert count == warm + 1
        runs = monitoring.WRAPPED_RUN_COUNT.value()

        def ask(files):
            documents = [
                {"instances": [{"b64": base64.b64encode(file).decode()}]}
                for file in files
            ]
            return ask_together(client, documents)

        answers = ask(files)
        assert monitoring.WRAPPED_RUN_COUNT.value() <= runs + len(files)
        got = [answer.json()["predictions"][0] for answer in answers]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)

        # A PNG, then a JPEG.
        for i in (2, 3):
            damaged = list(files)
            damaged[i] = files[i][: len(files[i]) // 2]
            statuses = [answer.status for answer in ask(damaged)]
            assert statuses == [400 if n == i else 200 for n in range(4)]

        # A header alone, of 6000 x 6000 pixels.
        huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 6000, 6000)
        runs = monitoring.WRAPPED_RUN_COUNT.value()
        (answer,) = ask([huge])
        assert answer.status == 400
        assert "6000 x 6000 pixels is larger than" in answer.json()["error"]
        assert monitoring.WRAPPED_RUN_COUNT.value() == runs
