"""Tests for serving/serve.py: that it ends, whatever it is busy with."""

import signal

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving import warmup
from tests.serving import saved_models
from tests.serving import serve_test

# The program with a model whose runs never end. It says when one begins.
HANGING = """
import os, runpy, sys, time
sys.path.insert(0, os.path.dirname(os.path.dirname(sys.argv[1])))
from serving import engine
def run(*_, **__):
    print("Runs.", flush=True)
    time.sleep(3600)
engine.SavedModelEngine.run = run
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_a_request_that_never_ends_does_not_keep_the_program(tmp_path):
    saved_models.write_half_plus(tmp_path / "half/1", 2.0)
    with serve_test.started(
        tmp_path / "half",
        "--rest_api_timeout_in_ms=1000",
        options=("-c", HANGING),
    ) as (process, client, _):
        answer = client.post("/v1/models/default:predict", {"instances": [1.0]})
        assert answer.status == 504
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 1
        assert "is left behind" in process.stdout.read()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_a_model_warms_up(tmp_path, number):
    saved_models.write_half_plus(tmp_path / "1", 2.0)
    log = prediction_log_pb2.PredictionLog()
    request = serve_test.predict("default", "", x=np.float32([1.0]))
    log.predict_log.request.CopyFrom(request)
    path = tmp_path / "1" / warmup.FILE_NAME
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    with serve_test.running(
        tmp_path, until="Runs.", options=("-c", HANGING)
    ) as (
        process,
        _,
    ):
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stdout.read() == "Stopped before it served.\n"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_tensorflow_is_imported(tmp_path, number):
    (tmp_path / "tensorflow.py").write_text(
        "import time\nprint('Imports.', flush=True)\ntime.sleep(3600)\n"
    )
    with serve_test.running(
        tmp_path, until="Imports.", PYTHONPATH=str(tmp_path)
    ) as (
        process,
        _,
    ):
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stdout.read() == "Stopped before it served.\n"
