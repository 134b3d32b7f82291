"""Tests for serving/serve.py, in a process of its own."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from grpc_health.v1 import health_pb2
from grpc_health.v1 import health_pb2_grpc
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

import tf_simmim
from tests.integration import warm_interpreter
from tests.serving import live_server
from tests.serving import saved_models
from tf_simmim.export import batching as export_batching

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = ROOT / "serving/serve.py"


def command(*arguments):
    return [sys.executable, str(PROGRAM), *map(str, arguments)]


def run(*arguments):
    """Runs the program to its end, which must come."""
    return warm_interpreter.run([PROGRAM, *arguments], ROOT, timeout=300)


@contextlib.contextmanager
def running(*arguments, until, options=(), **environment):
    """Runs the program meanwhile; yields the process, and its log so far.

    That ends with a line that starts with `until`, which must come.
    """
    python, *rest = command(*arguments)
    process = subprocess.Popen(
        [python, *options, *rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith(until):
                break
        else:
            raise AssertionError("".join(printed))
        yield process, "".join(printed)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def started(*arguments, **options):
    """Runs the program meanwhile; yields the process, a client and a log."""
    port, grpc_port = live_server.free_port(), live_server.free_port()
    ports = (f"--rest_api_port={port}", f"--port={grpc_port}")
    with running(*arguments, *ports, until="Serving at", **options) as (
        process,
        printed,
    ):
        client = live_server.Client(port)
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                client.ask("GET", "/healthz")
                break
        yield process, client, printed


@contextlib.contextmanager
def stub_for(printed):
    """Yields a stub of the gRPC address that the program has printed."""
    address = re.search(r", (127\.0\.0\.1:\d+) \.\.\.", printed)[1]
    with grpc.insecure_channel(address) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def predict(model, signature, **inputs):
    """Returns a request; `inputs` are arrays."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def test_an_export_is_served_until_a_signal_comes(tmp_path):
    export = tmp_path / "export"
    saved_models.write_half_plus(export / "1", 2.0)
    parameters = tmp_path / "batching.config"
    parameters.write_text("max_batch_size { value: 2 }")
    monitored = tmp_path / "monitoring.config"
    monitored.write_text("prometheus_config { enable: true }")
    with started(
        export,
        "--model_name=half",
        "--enable_batching",
        f"--batching_parameters_file={parameters}",
        f"--monitoring_config_file={monitored}",
    ) as (process, client, printed):
        answer = client.post("/v1/models/half:predict", {"instances": [1.0]})
        assert answer.json() == {"predictions": [2.5]}
        assert client.ask("GET", "/readyz").status == 200
        answer = client.post(
            "/v1/models/half:predict", {"instances": [1.0] * 3}
        )
        assert "maximum input batch size 2" in answer.json()["error"]

        page = client.ask("GET", "/monitoring/prometheus/metrics").body.decode()
        assert f':load_latency{{model_path="{export}/1"}} ' in page
        assert ":tf_simmim:serving:pending_requests{} 0\n" in page
        assert ":tf_simmim:serving:batching:waiting_batches{} 0\n" in page

        with stub_for(printed) as stub:
            request = predict("half", "", x=np.float32([1.0]))
            response = stub.Predict(request, timeout=60)
        assert list(response.outputs["y"].float_val) == [2.5]

        # What it printed is what it can do, ready to copy.
        assert "Model half, version 1:" in printed
        url = f"http://127.0.0.1:{client.port}/v1/models/half"
        assert f"curl {url}\n" in printed
        for method in (":predict", ":classify", ":regress"):
            assert f"{url}{method}\n" in printed
        # TensorFlow 2.21 begins so what it logs before its level is known.
        own = printed.replace("WARNING: All log messages before absl", "")
        assert "WARNING" not in own

        # A function compiled by XLA loads, and fails when it is called.
        saved_models.write_half_plus(tmp_path / "2", 3.0, jit_compile=True)
        (tmp_path / "2").rename(export / "2")
        deadline = time.monotonic() + 60
        while True:
            status = client.ask("GET", "/v1/models/half").json()
            found = {
                each["version"]: each["state"]
                for each in status["model_version_status"]
            }
            if found == {"2": "AVAILABLE", "1": "END"}:
                break
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        answer = client.post("/v1/models/half:predict", {"instances": [1.0]})
        assert answer.status == 500
        assert re.search("XLA compilation disabled", answer.json()["error"])
        answer = client.post(
            "/v1/models/half:regress",
            {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]},
        )
        assert answer.json() == {"results": [4.0]}

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout.read() == ""


def test_versions_are_told():
    result = run("--version")
    assert result.returncode == 0
    assert f"tf_simmim: {tf_simmim.__version__}\n" in result.stdout
    assert f"TensorFlow Library: {tf.__version__}\n" in result.stdout


@pytest.mark.slow
def test_the_command_of_the_compose_file_serves_here_too(tmp_path):
    """All flags of production, on the files of serving/deploy/."""
    deploy = ROOT / "serving/deploy"
    compose = yaml.safe_load((deploy / "docker-compose.yml").read_text())
    arguments = compose["services"]["serving"]["command"]
    assert len(arguments) > 8
    for path in deploy.glob("*.config"):
        text = path.read_text().replace("/models/", f"{tmp_path}/models/")
        (tmp_path / path.name).write_text(text)
    version = tmp_path / "models/simmim/1"
    saved_models.write_half_plus(version, 2.0)
    (version / export_batching.FILE_NAME).write_text(export_batching.text(2))
    with started(
        *(each.replace("/config/", f"{tmp_path}/") for each in arguments),
        "--rest_api_enable_cors_support",
    ) as (_, client, printed):
        path = "/v1/models/simmim:predict"
        answer = client.post(
            path, {"instances": [1.0]}, headers={"Origin": "http://a.example"}
        )
        assert answer.json() == {"predictions": [2.5]}
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        # In batches of the model's own file.
        answer = client.post(path, {"instances": [1.0] * 3})
        assert "maximum input batch size 2" in answer.json()["error"]
        page = client.ask("GET", "/monitoring/prometheus/metrics")
        assert b":tensorflow:serving:request_count" in page.body
        address = re.search(r", (127\.0\.0\.1:\d+) \.\.\.", printed)[1]
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service="ModelService")
            found = health.Check(request, timeout=20).status
        assert found == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.slow
def test_what_cannot_be_served_ends_the_program_with_a_sentence(tmp_path):
    (tmp_path / "export/1").mkdir(parents=True)
    labels = tmp_path / "models.config"
    labels.write_text(
        'model_config_list { config { name: "m" base_path: "/m" '
        'model_platform: "tensorflow" version_labels { key: "a" value: 1 } } }'
    )
    for arguments, message in (
        ([], "Give one of EXPORT_DIR"),
        ([tmp_path / "none"], "EXPORT_DIR must be a folder"),
        (
            [tmp_path / "export", "--load_retry_interval_micros=1000"],
            r"1 model\(s\) did not become available: .*SavedModel file",
        ),
        (
            [f"--model_config_file={labels}"],
            "Request to assign label to version 1 of model m, which is not "
            "currently available",
        ),
        (["--address=localhost", tmp_path], "must be an IP address"),
        (["--mixed_precision=x", tmp_path], "Unknown command line flag"),
        (["--enable_profiler", tmp_path], "must be false"),
        (["--grpc_channel_arguments=a", tmp_path], "must be name=value"),
        ([f"--ssl_config_file={tmp_path}/none", tmp_path], "none; No such"),
        (["--batching_parameters_file=x", tmp_path], "need --enable_batching"),
    ):
        result = run(*arguments)
        assert result.returncode == 1
        assert re.search(message, result.stderr), result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_ctrl_c_ends_it_after_the_requests_that_have_come(tmp_path):
    saved_models.write_kinds(tmp_path / "kinds/1")
    answers = []
    with started(tmp_path / "kinds") as (process, client, printed):

        def ask():
            answers.append(
                client.post(
                    "/v1/models/default:predict",
                    {"signature_name": "slow", "inputs": [200_000]},
                ).status
            )

        def ask_over_grpc():
            with stub_for(printed) as stub:
                steps = np.int32([200_000])
                stub.Predict(
                    predict("default", "slow", steps=steps), timeout=60
                )
                answers.append("OK")

        threads = [threading.Thread(target=f) for f in (ask, ask_over_grpc)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        for thread in threads:
            thread.join()
    assert sorted(answers, key=str) == [200, "OK"]


@pytest.mark.slow
def test_no_request_is_lost_while_versions_come_and_go(tmp_path):
    """Three clients that never stop, and three versions one after another."""
    export = tmp_path / "export"
    saved_models.write_half_plus(export / "1", 2.0)
    seen = {"one over REST": [], "another": [], "one over gRPC": []}
    has_ended = threading.Event()
    with started(export, "--model_name=half", "--enable_batching") as (
        _,
        client,
        printed,
    ):

        def rest(name):
            while not has_ended.is_set():
                answer = client.post(
                    "/v1/models/half:predict", {"instances": [1.0]}
                )
                assert answer.status == 200, answer.body
                seen[name] += answer.json()["predictions"]

        def over_grpc():
            with stub_for(printed) as stub:
                while not has_ended.is_set():
                    request = predict("half", "", x=np.float32([1.0]))
                    outputs = stub.Predict(request, timeout=60).outputs
                    seen["one over gRPC"] += list(outputs["y"].float_val)

        with futures.ThreadPoolExecutor() as pool:
            running = [
                *(pool.submit(rest, name) for name in list(seen)[:2]),
                pool.submit(over_grpc),
            ]
            try:
                for version in (2, 3):
                    folder = tmp_path / f"{version}"
                    saved_models.write_half_plus(folder, 1.0 + version)
                    folder.rename(export / f"{version}")
                    wait_for_answers(seen, 1.5 + version, running)
                shutil.rmtree(export / "3")
                wait_for_answers(seen, 3.5, running)
            finally:
                has_ended.set()
            for each in running:
                each.result()
        status = client.ask("GET", "/v1/models/half").json()
        states = {
            each["version"]: each["state"]
            for each in status["model_version_status"]
        }
        assert states["2"] == "AVAILABLE" and states["3"] == "END"
    for values in seen.values():
        changes = [
            value
            for value, before in zip(values, [None, *values], strict=False)
            if value != before
        ]
        assert changes == [2.5, 3.5, 4.5, 3.5]
        assert len(values) > 20


def wait_for_answers(seen, value, running):
    """Waits until every client was last answered with a value."""
    deadline = time.monotonic() + 60
    while not all(values[-1:] == [value] for values in seen.values()):
        assert time.monotonic() < deadline, value
        for each in running:
            if each.done():
                each.result()  # Its error, if it has failed.
        time.sleep(0.02)


@pytest.mark.slow
def test_an_address_that_others_reach_is_warned_of(tmp_path):
    saved_models.write_half_plus(tmp_path / "1", 2.0)
    with started(tmp_path, "--address=0.0.0.0") as (_, client, printed):
        assert "WARNING: 0.0.0.0 can be reached by others" in printed
        assert client.ask("GET", "/healthz").status == 200
        # What is to be copied is reached from here; all else is listened on.
        url = f"http://127.0.0.1:{client.port}"
        assert f"curl {url}/v1/models/default\n" in printed
        (grpc_port,) = re.findall(
            rf"Serving at {url}, 127\.0\.0\.1:(\d+) \.\.\.", printed
        )
        assert printed.count("0.0.0.0") == 1
        (model,) = client.ask("GET", "/page/models.json").json()["models"]
        for texts in model["examples"].values():
            channel = f"insecure_channel('127.0.0.1:{grpc_port}'"
            assert channel in texts["gRPC, in Python"]
        for port in (client.port, int(grpc_port)):
            socket.create_connection(("127.0.0.2", port), timeout=20).close()
