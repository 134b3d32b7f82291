"""What tf_simmim.export writes, asked by serving.client."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from serving import client as serving_client
from serving import engine
from serving import model_config
from serving import model_versions
from serving import workers
from serving.grpc_api import server as grpc_server
from serving.rest import limits
from tests.export import tiny
from tests.serving import live_server
from tf_simmim import export

# Largest difference from eager mode.
_TOLERANCE = 1e-5


@contextlib.contextmanager
def clients(model, folder):
    """Serves an export of a model; yields a client of each protocol."""
    preprocessing = tiny.preprocessing(model)
    export.write_export(folder, model, preprocessing, verify=False)
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
            yield (
                serving_client.Client(f"127.0.0.1:{rest.port}", "m"),
                serving_client.Client(address, "m", protocol="grpc"),
            )
            server.stop(None).wait()


def assert_near(got, want):
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=0, atol=_TOLERANCE)


@pytest.mark.slow
def test_features_and_reconstructions_are_those_of_eager_mode(tmp_path):
    model = tiny.simmim()
    functions = export.Signatures(model, tiny.preprocessing(model)).functions()
    files = list(tiny.files(3).numpy())
    sized = tiny.photo(9, (tiny.H, tiny.W))
    grid = model.backbone.grid_size
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
    with clients(model, tmp_path) as both:
        for client in both:
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
            np.testing.assert_array_equal(
                got["patch_mask"], drawn["patch_mask"]
            )
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
def test_classes_are_those_of_eager_mode(tmp_path):
    model = tiny.classifier()
    functions = export.Signatures(model, tiny.preprocessing(model)).functions()
    files = list(tiny.files(3).numpy())
    want = functions["predict"](tf.constant(files))
    names = [name.decode() for name in want["class_name"].numpy()]
    with clients(model, tmp_path) as both:
        for client in both:
            said = client.predict(files)
            assert_near(said["probabilities"], want["probabilities"].numpy())
            assert_near(said["logits"], want["logits"].numpy())
            assert said["class_name"] == names
            rows = client.classify(files)
            assert [row[0][0] for row in rows] == names
            best = np.float32([row[0][1] for row in rows])
            assert_near(best, want["probabilities"].numpy().max(1))
            client.close()
