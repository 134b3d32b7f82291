"""What tf_simmim.export writes, asked over the wire and by serving.client."""

import base64
import contextlib
import dataclasses
import json
import subprocess

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving import client as serving_client
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

# Largest difference from eager mode.
_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Served:
    """A model, the functions of its export, and a server of that as "m"."""

    model: tf.keras.Model
    functions: dict
    versions: model_versions.ModelVersions
    rest: live_server.Client
    address: str  # of gRPC

    def clients(self):
        """Returns a client of each protocol."""
        return (
            serving_client.Client(f"127.0.0.1:{self.rest.port}", "m"),
            serving_client.Client(self.address, "m", protocol="grpc"),
        )


@contextlib.contextmanager
def serving(model, folder):
    """Exports a model and serves it; yields `Served`."""
    preprocessing = tiny.preprocessing(model)
    export.write_export(folder, model, preprocessing, verify=False)
    functions = export.Signatures(model, preprocessing).functions()
    versions = model_versions.ModelVersions(engine.SavedModelEngine)
    pool = workers.Workers(2, 4, 60.0)
    with contextlib.closing(versions), contextlib.closing(pool):
        versions.configure([model_config.ModelConfig("m", str(folder))])
        versions.wait_until_available()
        with live_server.running(versions, timeout_seconds=60.0) as rest:
            address = f"127.0.0.1:{live_server.free_port()}"
            server = grpc_server.start(
                versions, pool, limits.Limits(), [address]
            )
            yield Served(model, functions, versions, rest, address)
            server.stop(None).wait()


@pytest.fixture(scope="module")
def simmim(tmp_path_factory):
    with serving(tiny.simmim(), tmp_path_factory.mktemp("simmim")) as served:
        yield served


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    with serving(tiny.classifier(), folder) as served:
        yield served


def assert_near(got, want):
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=0, atol=_TOLERANCE)


@pytest.mark.slow
def test_features_over_rest_and_grpc_are_those_of_eager_mode(simmim):
    files = list(tiny.files(3).numpy())
    want = simmim.functions["features"](tf.constant(files))["features"].numpy()

    rows = [{"b64": base64.b64encode(f).decode()} for f in files]
    answer = simmim.rest.post("/v1/models/m:predict", {"instances": rows})
    assert answer.status == 200, answer.body
    got = np.array(answer.json()["predictions"])
    np.testing.assert_allclose(got, want, rtol=0, atol=_TOLERANCE)

    damaged = [*rows[:2], {"b64": "aGVsbG8="}]
    answer = simmim.rest.post("/v1/models/m:predict", {"instances": damaged})
    assert answer.status == 400

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(files))
    with grpc.insecure_channel(simmim.address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout=60)
    got = tf.make_ndarray(response.outputs["features"])
    np.testing.assert_allclose(got, want, rtol=0, atol=_TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["simmim", "classifier"])
def test_every_command_that_the_server_prints_is_answered(
    kind, request, tmp_path
):
    assert examples.EXAMPLE_FEATURE == signatures.EXAMPLE_FEATURE
    served = request.getfixturevalue(kind)
    (tmp_path / "photo.jpg").write_bytes(tiny.files(1).numpy()[0])
    with served.versions.using("m") as (_, loaded):
        commands = examples.commands(
            f"http://127.0.0.1:{served.rest.port}", "m", loaded.signatures
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


@pytest.mark.slow
def test_features_and_reconstructions_are_those_of_eager_mode(simmim):
    functions = simmim.functions
    files = list(tiny.files(3).numpy())
    sized = tiny.photo(9, (tiny.H, tiny.W))
    grid = simmim.model.backbone.grid_size
    mask = np.arange(3 * grid[0] * grid[1]).reshape([3, *grid]) % 3 == 0
    mask = mask.astype(np.int32)
    want = functions["features"](tf.constant(files))["features"].numpy()
    want_pixels = functions["features_from_pixels"](
        tf.constant(sized[np.newaxis], tf.float32)
    )["features"].numpy()
    eager = functions["reconstruct"](tf.constant(files), tf.constant(mask))
    drawn = functions["reconstruct_random"](
        tf.constant(files), tf.range(3, dtype=tf.int64)
    )
    for client in simmim.clients():
        assert_near(client.features(files), want)
        # The same pixels, three ways.
        got = client.features([sized, sized.astype(np.float32)])
        assert_near(got, np.tile(want_pixels, [2, 1]))
        assert_near(client.features_from_pixels([sized]), want_pixels)

        tokens = client.features_tokens(files)
        assert_near(tokens.mean(1), want)
        got = client.reconstruct(files, mask)
        np.testing.assert_allclose(
            got["reconstruction"],
            eager["reconstruction"],
            atol=255 * _TOLERANCE,
        )
        assert_near(got["masked_l1"], eager["masked_l1"].numpy())
        got = client.reconstruct(files)
        np.testing.assert_array_equal(got["patch_mask"], drawn["patch_mask"])
        pictures = client.reconstruct_png(files, mask)
        assert {
            alias: [value[:4] for value in values]
            for alias, values in pictures.items()
        } == {
            f"{name}_png_bytes": [b"\x89PNG"] * 3
            for name in ("masked", "reconstruction", "composite")
        }
        with pytest.raises(serving_client.RequestError, match="^image 2: "):
            client.features([*files[:2], files[2][:100]])
        client.close()


@pytest.mark.slow
def test_classes_are_those_of_eager_mode(classifier):
    files = list(tiny.files(3).numpy())
    want = classifier.functions["predict"](tf.constant(files))
    names = [name.decode() for name in want["class_name"].numpy()]
    for client in classifier.clients():
        said = client.predict(files)
        assert_near(said["probabilities"], want["probabilities"].numpy())
        assert_near(said["logits"], want["logits"].numpy())
        assert said["class_name"] == names
        rows = client.classify(files)
        assert [row[0][0] for row in rows] == names
        best = np.float32([row[0][1] for row in rows])
        assert_near(best, want["probabilities"].numpy().max(1))
        client.close()
