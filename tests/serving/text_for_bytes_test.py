"""Tests for serving.text_for_bytes, by itself and over real sockets."""

import base64
import contextlib
import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving import errors
from serving import text_for_bytes
from serving import workers
from serving.grpc_api import server as grpc_server
from serving.rest import limits
from tests.export import tiny
from tests.serving import live_server
from tests.serving import saved_models

FILES = {
    kind: tiny.encoded(tiny.photo(1), kind)
    for kind in ("PNG", "JPEG", "GIF", "BMP")
}
BASE64 = base64.b64encode(saved_models.png()[0])
HINT = 'In JSON, the bytes of a file are written {"b64": "..."}'


def said(alias, *contents, code="INVALID_ARGUMENT"):
    """Returns what a client is told of a run that fails."""
    array = np.empty(len(contents), object)
    array[:] = contents
    failed = errors.ServingError(
        code, "assertion failed: [no image]\n\t [[{{node map/while/Assert}}]]"
    )
    with pytest.raises(errors.ServingError) as caught:
        with text_for_bytes.explained({alias: array, "n": np.int32([1])}):
            raise failed
    assert caught.value.code == code
    return caught.value.message


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "encode",
    [
        base64.b64encode,
        base64.urlsafe_b64encode,
        base64.encodebytes,  # In lines.
        lambda file: b"data:image/x;base64," + base64.b64encode(file),
    ],
)
def test_base64_as_text_is_named_whatever_the_input_is_called(kind, encode):
    told = said("photo", FILES[kind], encode(FILES[kind]))
    assert told.startswith("Example 1 of photo is base64 as text, '")
    assert HINT in told
    assert told.endswith("The model says: assertion failed: [no image]")


def test_text_is_named_where_the_name_of_the_input_asks_for_a_file():
    told = said("image_bytes", b"cat.jpg")
    assert told.startswith("Example 0 of image_bytes is text, 'cat.jpg'")
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[BASE64]))
    example = tf.train.Example(
        features=tf.train.Features(feature={"image/encoded": feature})
    )
    told = said("inputs", example.SerializeToString())
    assert told.startswith("Example 0 of image/encoded is base64 as text")


@pytest.mark.parametrize(
    ("alias", "content", "code"),
    [
        ("text", b"cat.jpg", "INVALID_ARGUMENT"),
        ("text", b"Qk", "INVALID_ARGUMENT"),
        ("inputs", b"no example", "INVALID_ARGUMENT"),
        ("image_bytes", FILES["PNG"][:60], "INVALID_ARGUMENT"),
        ("image_bytes", b"", "INVALID_ARGUMENT"),
        ("image_bytes", b"\xff", "INVALID_ARGUMENT"),
        ("image_bytes", BASE64, "DEADLINE_EXCEEDED"),
    ],
)
def test_every_other_error_is_as_the_model_says(alias, content, code):
    told = said(alias, content, code=code)
    assert told == (
        "assertion failed: [no image]\n\t [[{{node map/while/Assert}}]]"
    )


@pytest.mark.parametrize(
    "instance",
    [
        BASE64.decode(),
        {"image_bytes": BASE64.decode()},
        # Encoded twice.
        {"b64": base64.b64encode(BASE64).decode()},
        "cat.jpg",
    ],
)
def test_whoever_sends_text_over_rest_is_told(client, instance):
    answer = client.post(
        "/v1/models/kinds:predict",
        {"signature_name": "png", "instances": [instance]},
    )
    assert answer.status == 400
    assert HINT in answer.json()["error"]
    assert "[[" not in answer.json()["error"]
    # Text is no fault where a model takes it.
    document = {"signature_name": "text", "instances": [BASE64.decode()]}
    answer = client.post("/v1/models/kinds:predict", document)
    assert json.dumps(BASE64.decode() + "!") in answer.body.decode()


def test_whoever_sends_base64_over_grpc_is_told(versions):
    address = f"127.0.0.1:{live_server.free_port()}"
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "kinds"
    request.model_spec.signature_name = "png"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([BASE64]))
    with contextlib.closing(workers.Workers(2, 4, 30.0)) as pool:
        server = grpc_server.start(versions, pool, limits.Limits(), [address])
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.Predict(request, timeout=30)
        server.stop(None).wait()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "over gRPC they are sent as they are" in caught.value.details()
