"""What tf_simmim.export writes, asked over the wire of serving/."""

import base64
import contextlib
import json
import subprocess

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving import engine
from serving import examples
from serving import model_config
from serving import model_versions
from serving import workers
from serving.grpc_api import server as grpc_server
from serving.rest import limits
from tests.export import tiny
from tests.serving import live_server
from tf_simmim import export
from tf_simmim.export import signatures

# Largest difference of a feature from eager mode.
_TOLERANCE = 1e-5


@contextlib.contextmanager
def serving(folder):
    """Serves a version; yields its `ModelVersions`."""
    versions = model_versions.ModelVersions(engine.SavedModelEngine)
    with contextlib.closing(versions):
        versions.configure([model_config.ModelConfig("m", str(folder.parent))])
        versions.wait_until_available()
        yield versions


@pytest.mark.slow
def test_features_over_rest_and_grpc_are_those_of_eager_mode(tmp_path):
    model = tiny.simmim()
    preprocessing = tiny.preprocessing(model)
    folder = export.write_export(tmp_path, model, preprocessing, verify=False)
    files = list(tiny.files(3).numpy())
    functions = export.Signatures(model, preprocessing).functions()
    want = functions["features"](tf.constant(files))["features"].numpy()

    pool = workers.Workers(2, 4, 60.0)
    with serving(folder) as versions, contextlib.closing(pool):
        with live_server.running(versions, timeout_seconds=60.0) as client:
            rows = [{"b64": base64.b64encode(f).decode()} for f in files]
            answer = client.post("/v1/models/m:predict", {"instances": rows})
            assert answer.status == 200, answer.body
            got = np.array(answer.json()["predictions"])
            np.testing.assert_allclose(got, want, rtol=0, atol=_TOLERANCE)

            damaged = [*rows[:2], {"b64": "aGVsbG8="}]
            answer = client.post("/v1/models/m:predict", {"instances": damaged})
            assert answer.status == 400

        address = f"127.0.0.1:{live_server.free_port()}"
        server = grpc_server.start(versions, pool, limits.Limits(), [address])
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "m"
        request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(files))
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            response = stub.Predict(request, timeout=60)
        server.stop(None).wait()
        got = tf.make_ndarray(response.outputs["features"])
        np.testing.assert_allclose(got, want, rtol=0, atol=_TOLERANCE)


@pytest.mark.slow
def test_every_command_that_the_server_prints_is_answered(tmp_path):
    assert examples.EXAMPLE_FEATURE == signatures.EXAMPLE_FEATURE
    for model in (tiny.simmim(), tiny.classifier()):
        folder = export.write_export(
            tmp_path / type(model).__name__,
            model,
            tiny.preprocessing(model),
            verify=False,
        )
        (tmp_path / "photo.jpg").write_bytes(tiny.files(1).numpy()[0])
        with (
            serving(folder) as versions,
            live_server.running(versions, timeout_seconds=60.0) as client,
        ):
            with versions.using("m") as (_, loaded):
                commands = examples.commands(
                    f"http://127.0.0.1:{client.port}", "m", loaded.signatures
                )
            assert len(commands) > 5
            for command in commands:
                result = subprocess.run(
                    ["bash", "-c", command],
                    cwd=tmp_path,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=True,
                )
                answer = json.loads(result.stdout)
                assert "error" not in answer, (command, answer)
