"""Tests for serving.grpc_api: the services, over a real socket."""

import contextlib
import functools
import json
import pathlib
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import classification_pb2
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import inference_pb2
from tensorflow_serving.apis import input_pb2
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis import regression_pb2

from serving import errors
from serving import monitoring
from serving import workers
from serving.grpc_api import example_input
from serving.grpc_api import server
from serving.grpc_api import tensor_proto
from serving.rest import limits as rest_limits
from tests.serving import live_server

GOLDEN = pathlib.Path(__file__).parents[2] / "golden/serving/grpc.json"
CALLS = json.loads(GOLDEN.read_text(encoding="utf-8"))
REQUESTS = {
    "Predict": predict_pb2.PredictRequest,
    "Classify": classification_pb2.ClassificationRequest,
    "Regress": regression_pb2.RegressionRequest,
    "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
    "MultiInference": inference_pb2.MultiInferenceRequest,
    "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
    "HandleReloadConfigRequest": model_management_pb2.ReloadConfigRequest,
}


class Client:
    """Calls a method of either service by name."""

    def __init__(self, address, credentials=None):
        options = [("grpc.max_receive_message_length", -1)]
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, credentials, options)
        self._stubs = (
            prediction_service_pb2_grpc.PredictionServiceStub(self._channel),
            model_service_pb2_grpc.ModelServiceStub(self._channel),
        )

    def call(self, method, request, timeout=60):
        (stub,) = (each for each in self._stubs if hasattr(each, method))
        return getattr(stub, method)(request, timeout=timeout)

    def close(self):
        self._channel.close()


@contextlib.contextmanager
def running(
    versions, pool, limits, address=None, client_credentials=None, **kwargs
):
    """Other arguments are those of `server.start`."""
    address = address or f"127.0.0.1:{live_server.free_port()}"
    grpc_server = server.start(versions, pool, limits, [address], **kwargs)
    try:
        with contextlib.closing(Client(address, client_credentials)) as client:
            yield client
    finally:
        grpc_server.stop(None).wait()


@pytest.fixture(scope="module")
def calls(versions):
    pool = workers.Workers(2, 4, 60.0)
    with contextlib.closing(pool):
        with running(versions, pool, rest_limits.Limits()) as client:
            yield client


@pytest.mark.parametrize("case", CALLS, ids=[case["name"] for case in CALLS])
def test_the_answer_is_that_of_tensorflow_serving(calls, case):
    request = json_format.ParseDict(case["request"], REQUESTS[case["method"]]())
    if "code" not in case:
        response = calls.call(case["method"], request)
        assert json_format.MessageToDict(response) == case["response"]
        return
    with pytest.raises(grpc.RpcError) as caught:
        calls.call(case["method"], request)
    assert caught.value.code().name == case["code"]
    if "error" in case:
        assert caught.value.details() == case["error"]


def test_there_are_as_many_calls_as_promised():
    assert len({case["name"] for case in CALLS}) == len(CALLS)
    assert len(CALLS) >= 60


def test_options_of_grpc_hold_before_the_server_s_own(versions):
    with contextlib.closing(workers.Workers(2, 4, 60.0)) as pool:
        with running(
            versions,
            pool,
            rest_limits.Limits(),
            options={"grpc.max_receive_message_length": 100},
        ) as client:
            value = tf.make_tensor_proto(np.zeros([2, 25], np.float32))
            with pytest.raises(grpc.RpcError) as caught:
                client.call("Predict", predict_request("echo_float32", x=value))
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_message_larger_than_the_limit_is_refused(calls):
    value = tf.make_tensor_proto(np.zeros([5 * 2**20], np.float32))
    with pytest.raises(grpc.RpcError) as caught:
        calls.call("Predict", predict_request("echo_float32", x=value))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def predict_request(signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "kinds"
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(value)
    return request


@pytest.mark.parametrize(
    "value",
    [
        np.array([[True, False]]),
        np.array([b"a\xff", b""], object),
        np.array(b"a", object),
        np.float16([1.5, np.nan]),
        np.float32([[1.5], [-np.inf]]),
        np.float64(0.1),
        np.int8([[-128, 127]]),
        np.int16([-5]),
        np.int32([7]),
        np.int64([2**62]),
        np.uint8([255]),
        np.uint32([2**32 - 1]),
        np.uint64([2**64 - 1]),
        np.zeros([0, 3], np.float32),
    ],
    ids=lambda value: f"{value.dtype.name}{value.shape}",
)
def test_every_data_type_goes_through_in_typed_fields(calls, value):
    name = "string" if value.dtype == object else value.dtype.name
    as_content = tf.make_tensor_proto(value)
    response = calls.call(
        "Predict", predict_request(f"echo_{name}", x=as_content)
    )
    message = response.outputs["y"]
    assert not message.tensor_content
    back = tf.make_ndarray(message)
    assert back.dtype == value.dtype
    np.testing.assert_array_equal(back, value)


def test_metadata_holds_the_signatures(calls):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "half_plus_two"
    request.metadata_field.append("signature_def")
    response = calls.call("GetModelMetadata", request)
    assert response.model_spec.version.value == 124
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    inputs = signatures.signature_def["serving_default"].inputs
    assert inputs["x"].dtype == tf.float32.as_datatype_enum


@pytest.mark.parametrize(
    "message",
    [
        # One value stands for all: a bomb of 40 bytes.
        {"dtype": 1, "floatVal": [1.0], "sizes": [2**20, 2**20]},
        {"dtype": 1, "floatVal": [1.0], "sizes": [-1]},
        {"dtype": 1, "floatVal": [1.0, 2.0], "sizes": [3, 1]},
        {"dtype": 1, "tensorContent": "AAAA", "sizes": [1]},
        {"dtype": 20, "sizes": [1]},
        {"dtype": 0, "sizes": []},
    ],
)
def test_a_message_that_is_no_tensor_is_refused(calls, message):
    message = dict(message)
    sizes = message.pop("sizes")
    message["tensorShape"] = {"dim": [{"size": str(s)} for s in sizes]}
    proto = json_format.ParseDict(
        message, predict_pb2.PredictRequest().inputs["x"]
    )
    if message.get("floatVal") == [1.0, 2.0]:
        # TensorFlow fills up with the last value.
        response = calls.call("Predict", predict_request("fifth", x=proto))
        assert response.outputs["y"].tensor_shape.dim[0].size == 3
        return
    with pytest.raises(grpc.RpcError) as caught:
        calls.call("Predict", predict_request("echo_float32", x=proto))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_batch_larger_than_the_limit_is_refused(calls):
    value = tf.make_tensor_proto(np.ones([65], np.float32))
    with pytest.raises(grpc.RpcError) as caught:
        calls.call("Predict", predict_request("fifth", x=value))
    assert "may hold 64 examples" in caught.value.details()


def test_calls_are_counted(calls):
    count = functools.partial(monitoring.REQUEST_COUNT.value, "kinds")
    before = count("OK"), count("FAILED_PRECONDITION")
    labels = ("kinds", "Predict", "GRPC")
    times = monitoring.REQUEST_LATENCY.count(*labels)
    value = tf.make_tensor_proto(np.ones([2], np.float32))
    calls.call("Predict", predict_request("fifth", x=value))
    with pytest.raises(grpc.RpcError):
        calls.call("Predict", predict_request("nothing", x=value))
    after = count("OK"), count("FAILED_PRECONDITION")
    assert after == (before[0] + 1, before[1] + 1)
    assert monitoring.REQUEST_LATENCY.count(*labels) == times + 1


def test_the_deadline_of_a_call_holds(calls):
    value = tf.make_tensor_proto(np.int32([2**31 - 1]))
    with pytest.raises(grpc.RpcError) as caught:
        calls.call("Predict", predict_request("slow", steps=value), timeout=0.5)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


class FakeVersions:
    """Lends an engine whose runs wait."""

    def __init__(self, run):
        self._run = run

    @contextlib.contextmanager
    def using(self, *_):
        self._run()
        raise errors.invalid_argument("done")
        yield

    def is_configured(self, name):
        return True

    def status(self, *_):
        raise errors.ServingError("NOT_FOUND", "nothing")


def test_a_full_queue_refuses_calls_but_tells_the_status():
    release = threading.Event()
    versions = FakeVersions(lambda: release.wait(60))
    request = predict_request("x")
    pool = workers.Workers(1, 0, 60.0)
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "m"
    with contextlib.closing(pool):
        with running(versions, pool, rest_limits.Limits()) as client:
            details = []

            def ask():
                with pytest.raises(grpc.RpcError) as caught:
                    client.call("Predict", request)
                details.append(caught.value.details())

            thread = threading.Thread(target=ask)
            thread.start()
            while not pool._started:
                thread.join(0.01)
            with pytest.raises(grpc.RpcError) as caught:
                client.call("Predict", request)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            with pytest.raises(grpc.RpcError) as caught:
                client.call("GetModelStatus", status)
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND
            release.set()
            thread.join()
            assert details == ["done"]


def test_a_flood_of_calls_is_unavailable_not_exhausted():
    release = threading.Event()
    versions = FakeVersions(lambda: release.wait(60))
    pool = workers.Workers(1, 1, 60.0)
    with contextlib.closing(pool):
        with running(versions, pool, rest_limits.Limits()) as client:
            codes = []

            def ask():
                with pytest.raises(grpc.RpcError) as caught:
                    client.call("Predict", predict_request("x"))
                codes.append(caught.value.code())

            threads = [threading.Thread(target=ask) for _ in range(40)]
            for thread in threads:
                thread.start()
            while len(codes) < 38:
                threads[0].join(0.01)
            assert set(codes) == {grpc.StatusCode.UNAVAILABLE}
            release.set()
            for thread in threads:
                thread.join()
    # Those that ran and waited: this model has nothing else to answer.
    assert codes[38:] == [grpc.StatusCode.INVALID_ARGUMENT] * 2


def string_tensor(sizes, *values):
    message = tf.make_tensor_proto([b""])
    message.ClearField("string_val")
    message.string_val.extend(values)
    message.tensor_shape.Clear()
    for size in sizes:
        message.tensor_shape.dim.add(size=size)
    return message


@pytest.mark.parametrize(
    "sizes, values, is_refused",
    [
        # The last string stands for all that are missing.
        ((60,), (b"a" * 1000,), False),
        ((64,), (b"a" * 1000,), True),
        ((1, 1000), (b"a", b"b" * 100), True),
        ((1000,), (), False),
        ((70_000,), (), True),
        # Nothing to read, and 40 bytes each for Python.
        ((2000,), (), True),
        ((2,), (b"a" * 30_000, b"b" * 33_000), False),
    ],
)
def test_a_few_strings_cannot_stand_for_more_than_the_limit(
    sizes, values, is_refused
):
    message = string_tensor(sizes, *values)
    if not is_refused:
        array = tensor_proto.parse("x", message, 64_000)
        assert array.shape == sizes and array.dtype == object
        return
    with pytest.raises(errors.ServingError, match="larger than 64000 bytes"):
        tensor_proto.parse("x", message, 64_000)


def test_a_context_is_counted_once_for_each_example():
    message = input_pb2.Input()
    found = message.example_list_with_context
    found.context.features.feature["c"].bytes_list.value.append(b"c" * 1000)
    for _ in range(5):
        found.examples.add().features.feature["x"].int64_list.value.append(1)
    few = rest_limits.Limits(max_batch=5, max_body_bytes=6000)
    assert len(example_input.serialized(message, few)) == 5
    for limits, why in (
        (rest_limits.Limits(max_batch=4), "may hold 4 examples"),
        (rest_limits.Limits(max_body_bytes=5000), "larger than 5000 bytes"),
    ):
        with pytest.raises(errors.ServingError, match=why):
            example_input.serialized(message, limits)


def test_an_error_of_our_own_is_not_told(caplog):
    def run():
        raise KeyError("/secret/path")

    pool = workers.Workers(1, 0, 60.0)
    with contextlib.closing(pool):
        with running(FakeVersions(run), pool, rest_limits.Limits()) as client:
            with pytest.raises(grpc.RpcError) as caught:
                client.call("Predict", predict_request("x"))
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert caught.value.details() == "Internal error"
    assert "/secret/path" in caplog.text


@pytest.mark.slow
def test_a_unix_socket_is_an_address_and_a_taken_port_is_not(
    versions, tmp_path
):
    pool = workers.Workers(1, 0, 60.0)
    limits = rest_limits.Limits()
    with contextlib.closing(pool):
        address = f"unix:{tmp_path}/s"
        with running(versions, pool, limits, address) as client:
            request = get_model_status_pb2.GetModelStatusRequest()
            request.model_spec.name = "kinds"
            response = client.call("GetModelStatus", request)
            assert response.model_version_status[0].version == 1
        taken = f"127.0.0.1:{live_server.free_port()}"
        with running(versions, pool, limits, taken):
            with pytest.raises(errors.ServingError, match="cannot listen on"):
                server.start(versions, pool, limits, [taken])
