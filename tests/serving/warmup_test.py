"""Tests for serving.warmup, and that a version is loaded with it."""

import contextlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2

from serving import engine
from serving import errors
from serving import model_config
from serving import model_loader
from serving import model_versions
from serving import monitoring
from serving import warmup


class CountingEngine:
    """Counts the runs of an engine by signature."""

    def __init__(self, loaded):
        self.signatures = loaded.signatures
        self.runs = []
        self._loaded = loaded

    def run(self, name, *arguments):
        self.runs.append(name)
        return self._loaded.run(name, *arguments)


@pytest.fixture(scope="module")
def half(models):
    with contextlib.closing(
        engine.SavedModelEngine(models / "half_plus_two/00000123")
    ) as loaded:
        yield loaded


@pytest.fixture
def counting(half):
    return CountingEngine(half)


EXAMPLES = """
    input { example_list { examples { features { feature {
        key: "x" value { float_list { value: 2 } } } } } } }
"""
CLASSIFY = f"""classify_log {{ request {{
    model_spec {{ name: "other" signature_name: "classify_x_to_y" }}
    {EXAMPLES} }} }}"""
REGRESS = f"""regress_log {{ request {{
    model_spec {{ name: "other" signature_name: "regress_x_to_y" }}
    {EXAMPLES} }} }}"""
MULTIPLE = f"""multi_inference_log {{ request {{ tasks {{
    model_spec {{ name: "other" signature_name: "regress_x_to_y" }}
    method_name: "tensorflow/serving/regress" }} {EXAMPLES} }} }}"""


def predict():
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "other"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([1, 2])))
    return log


def log_of(text):
    return text_format.Parse(text, prediction_log_pb2.PredictionLog())


def write(folder, records):
    path = folder / warmup.FILE_NAME
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            if not isinstance(record, bytes):
                record = record.SerializeToString()
            writer.write(record)
    return path


def test_each_request_runs_whatever_its_model_is_called(tmp_path, counting):
    write(
        tmp_path,
        [predict(), log_of(CLASSIFY), log_of(REGRESS), log_of(MULTIPLE), b""],
    )
    assert warmup.replay(counting, tmp_path, iterations=2) == 5
    names = ["serving_default", "classify_x_to_y", *["regress_x_to_y"] * 2]
    assert counting.runs == [name for name in names for _ in range(2)]
    assert monitoring.MODEL_WARMUP_LATENCY.count(str(tmp_path), "OK") == 1


def test_a_version_without_a_file_needs_none(tmp_path, counting):
    assert warmup.replay(counting, tmp_path) == 0
    write(tmp_path, [])
    assert warmup.replay(counting, tmp_path) == 0
    assert not counting.runs


def test_a_thousand_records_are_taken_and_no_more(tmp_path, counting):
    write(tmp_path, [b""] * 1000)
    assert warmup.replay(counting, tmp_path) == 1000
    write(tmp_path, [b""] * 1001)
    with pytest.raises(errors.ServingError, match=r"the maximum \(1000\)"):
        warmup.replay(counting, tmp_path)


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"\xff", "INVALID_ARGUMENT"),
        (log_of("session_run_log { }"), "UNIMPLEMENTED"),
        (log_of("predict_log { }"), "INVALID_ARGUMENT"),
        (
            log_of(CLASSIFY.replace("classify_x", "no_x")),
            "INVALID_ARGUMENT",
        ),
        (log_of("regress_log { }"), "INVALID_ARGUMENT"),
    ],
)
def test_a_request_that_fails_fails_the_file(tmp_path, counting, record, code):
    write(tmp_path, [predict(), record])
    with pytest.raises(errors.ServingError) as caught:
        warmup.replay(counting, tmp_path)
    assert caught.value.code == code
    assert counting.runs == ["serving_default"]


def test_a_request_that_takes_too_long_is_told_and_is_no_fault(
    tmp_path, counting, caplog
):
    def run(name, *arguments):
        if name == "classify_x_to_y":
            raise errors.ServingError("DEADLINE_EXCEEDED", "over")
        return CountingEngine.run(counting, name, *arguments)

    counting.run = run
    path = write(tmp_path, [predict(), log_of(CLASSIFY), log_of(REGRESS)])
    assert warmup.replay(counting, tmp_path) == 3
    assert counting.runs == ["serving_default", "regress_x_to_y"]
    assert f"Warm-up request 2 of {path} was not answered" in caplog.text


@pytest.fixture
def copied(models, tmp_path):
    """A version of a model, with a warm-up file."""
    folder = tmp_path / "1"
    shutil.copytree(models / "half_plus_two/00000123", folder)
    return folder, write(folder, [predict()])


def versions_of(folder, iterations=1):
    versions = model_versions.ModelVersions(
        model_loader.ModelLoader(
            engine.SavedModelEngine, num_warmup_iterations=iterations
        ),
        max_num_load_retries=0,
    )
    versions.configure([model_config.ModelConfig("m", str(folder.parent))])
    return contextlib.closing(versions), versions


def test_a_version_is_available_after_its_warm_up(copied):
    folder, _ = copied
    closing, versions = versions_of(folder, iterations=3)
    with closing:
        versions.wait_until_available()
        assert versions.status("m")[0].state == "AVAILABLE"
    count = monitoring.MODEL_WARMUP_LATENCY.count
    assert count(str(folder), "OK") == 1


def test_a_damaged_file_fails_the_version_unless_there_is_no_warm_up(copied):
    folder, path = copied
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    closing, versions = versions_of(folder)
    with closing:
        with pytest.raises(errors.ServingError, match="did not become"):
            versions.wait_until_available()
        (status,) = versions.status("m")
        assert status.state == "END"
        assert status.error.code == "DATA_LOSS"
        assert "in TFRecord format" in status.error.message
    closing, versions = versions_of(folder, iterations=0)
    with closing:
        versions.wait_until_available()
        with (
            versions.using("m") as (_, loaded),
            pytest.MonkeyPatch.context() as m,
        ):
            # What a first run would take time for has been done all the same:
            # without a session, nothing more can be made ready.
            m.setattr(loaded, "_session", None)
            out = loaded.run("serving_default", {"x": np.float32([1])})
            assert out["y"] == [2.5]
