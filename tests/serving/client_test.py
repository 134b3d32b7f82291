"""Tests for serving.client, over real sockets."""

import contextlib
import http.server
import io
import json
import subprocess
import sys
import threading
from concurrent import futures

import grpc
import numpy as np
import pytest
from PIL import Image
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving import client as serving_client
from serving import engine
from serving import model_config
from serving import model_versions
from serving import workers
from serving.client_side import retries
from serving.grpc_api import server as grpc_server
from serving.rest import limits
from tests.serving import answering_model
from tests.serving import live_server

PICTURES = [answering_model.picture(seed) for seed in range(5)]
MEANS = np.float32([picture.mean((0, 1)) for picture in PICTURES])


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """Serves the model; {protocol: address}. Takes 3 images at a time."""
    folder = answering_model.write(tmp_path_factory.mktemp("answering"))
    versions = model_versions.ModelVersions(
        engine.SavedModelEngine,
        allow_version_labels_for_unavailable_models=True,
    )
    pool = workers.Workers(2, 8, 30.0)
    few = limits.Limits(max_batch=3)
    with contextlib.closing(versions), contextlib.closing(pool):
        config = model_config.ModelConfig(
            "default", str(folder), labels={"stable": 1}
        )
        versions.configure([config])
        versions.wait_until_available()
        with live_server.running(versions, max_waiting=8, limits=few) as rest:
            address = f"127.0.0.1:{live_server.free_port()}"
            server = grpc_server.start(versions, pool, few, [address])
            yield {"rest": f"localhost:{rest.port}", "grpc": address}
            server.stop(None).wait()


@pytest.fixture(scope="module", params=["rest", "grpc"])
def client(request, addresses):
    protocol = request.param
    with serving_client.Client(
        addresses[protocol], protocol=protocol, batch_size=3
    ) as made:
        yield made


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def test_images_of_every_kind_become_features_in_their_order(client, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(PICTURES[0]))
    pixels = np.full([4, 6, 3], 0.25) + [1, 2, 3]
    images = [path, png(PICTURES[1]), pixels, PICTURES[2], str(path)]
    images.append(Image.fromarray(PICTURES[3]))
    features = client.features(images)
    assert features.dtype == np.float32
    want = [MEANS[0], MEANS[1], [1.25, 2.25, 3.25], MEANS[2], MEANS[0]]
    np.testing.assert_allclose(features, [*want, MEANS[3]], rtol=1e-6)


def test_an_array_of_a_batch_is_a_list_of_images(client):
    got = client.features(np.stack(PICTURES))
    np.testing.assert_allclose(got, MEANS, rtol=1e-6)
    tokens = client.features_tokens(np.stack(PICTURES))
    assert tokens.shape == (5, 5, 3)
    np.testing.assert_allclose(tokens[:, 4], MEANS, rtol=1e-6)


def test_pixels_are_sent_as_numbers(client):
    pixels = np.random.default_rng(1).uniform(0, 255, [4, 4, 6, 3])
    got = client.features_from_pixels(pixels)
    np.testing.assert_allclose(got, pixels.mean((1, 2)), rtol=1e-5)
    with pytest.raises(ValueError, match=r"as image 1: \[5, 7, 3\]"):
        client.features_from_pixels([pixels[0], PICTURES[0]])


def test_reconstructions_come_with_their_masks(client):
    mask = np.zeros([4, 2, 3], bool)
    mask[1, 0, 0] = mask[3] = True
    given = client.reconstruct(PICTURES[:4], mask)
    np.testing.assert_allclose(given["masked_l1"], [0, 1 / 6, 0, 1], rtol=1e-6)
    assert given["reconstruction"].shape == (4, 4, 6, 3)
    np.testing.assert_allclose(
        given["reconstruction"][:, 3, 5], MEANS[:4], rtol=1e-6
    )
    drawn = client.reconstruct(PICTURES[:4])["patch_mask"]
    assert drawn.dtype == np.int32
    np.testing.assert_array_equal(drawn[:, 1, 2], [0, 1, 2, 3])
    drawn = client.reconstruct(PICTURES[:2], seeds=[7, 5])["patch_mask"]
    np.testing.assert_array_equal(drawn[:, 0, 0], [7, 5])


def test_a_generator_of_images_is_as_good_as_a_list(client):
    def images(count=4):
        return (picture for picture in PICTURES[:count])

    mask = np.zeros([4, 2, 3], np.int32)
    mask[1, 0, 0] = 1
    got = client.reconstruct(images(), mask)
    np.testing.assert_allclose(got["masked_l1"], [0, 1 / 6, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(
        got["reconstruction"][:, 3, 5], MEANS[:4], rtol=1e-6
    )
    drawn = client.reconstruct(images())["patch_mask"]
    np.testing.assert_array_equal(drawn[:, 1, 2], [0, 1, 2, 3])
    drawn = client.reconstruct(images(2), seeds=[7, 5])["patch_mask"]
    np.testing.assert_array_equal(drawn[:, 0, 0], [7, 5])
    files = client.reconstruct_png(images(), mask)["masked_png_bytes"]
    shown = [np.asarray(Image.open(io.BytesIO(file))) for file in files]
    np.testing.assert_array_equal(shown, PICTURES[:4])
    np.testing.assert_allclose(client.features(images()), MEANS[:4], rtol=1e-6)
    with pytest.raises(ValueError, match="each of the 3 images"):
        client.reconstruct(images(3), mask)


def test_reconstructions_as_files_are_bytes(client):
    files = [png(picture) for picture in PICTURES[:2]]
    got = client.reconstruct_png(files, np.zeros([2, 2, 3]))
    assert got["masked_png_bytes"] == files
    # NumPy would cut off the zero.
    assert got["reconstruction_png_bytes"] == [file + b"\0" for file in files]


def test_a_classifier_names_its_classes(client):
    said = client.predict(PICTURES)
    order = np.argsort(-MEANS[:, :2], axis=1)
    names = np.array(answering_model.NAMES)[order]
    assert said["class_name"] == names[:, 0].tolist()
    assert said["label"].dtype == np.int64
    np.testing.assert_array_equal(said["label"], order[:, 0])
    np.testing.assert_allclose(
        said["probabilities"], MEANS[:, :2] / 255, rtol=1e-6
    )
    results = client.classify(PICTURES)
    assert [[name for name, _ in row] for row in results] == names.tolist()
    scores = [[score for _, score in row] for row in results]
    want = -np.sort(-MEANS[:, :2] / 255)
    np.testing.assert_allclose(scores, want, rtol=1e-6)


@pytest.mark.parametrize("bad", [0, 2, 6])
def test_the_error_names_the_image_and_gives_the_servers_sentence(
    client, tmp_path, bad
):
    images = [png(PICTURES[0])] * 7
    path = tmp_path / "damaged.jpg"
    path.write_bytes(b"hello")
    images[bad] = path
    with pytest.raises(serving_client.RequestError) as caught:
        client.features(images)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert (caught.value.index, caught.value.image) == (bad, str(path))
    assert str(caught.value).startswith(f"image {bad} ({path}): ")
    assert "image file format" in caught.value.message
    with pytest.raises(serving_client.RequestError, match=f"^image {bad} "):
        client.classify(images)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_server_that_takes_fewer_images_is_served(addresses, protocol):
    with serving_client.Client(
        addresses[protocol], protocol=protocol, label="stable"
    ) as made:
        got = made.features(PICTURES * 4)
        np.testing.assert_allclose(got, np.tile(MEANS, [4, 1]), rtol=1e-6)


def test_a_call_that_no_image_is_to_blame_for_names_none(client, addresses):
    for options, code in (
        ({"model_name": "other"}, "NOT_FOUND"),
        ({"version": 7}, "NOT_FOUND"),
        ({"label": "nope"}, "INVALID_ARGUMENT"),
    ):
        for protocol, address in addresses.items():
            with (
                serving_client.Client(
                    address, protocol=protocol, **options
                ) as made,
                pytest.raises(serving_client.RequestError) as caught,
            ):
                made.features(PICTURES)
            assert (caught.value.code, caught.value.index) == (code, None)


def test_what_the_model_does_not_offer_is_said_at_once(client):
    with pytest.raises(
        serving_client.RequestError, match="has no signature fly. It has: clas"
    ):
        client._outputs("fly", PICTURES)


@pytest.mark.parametrize(
    ("images", "match"),
    [
        ([], "at least one image"),
        ("photo.jpg", "must be a list of images.* Received: str"),
        (b"", "must be a list of images.* Received: bytes"),
        (PICTURES[0], r"must be a list.*array uint8 \[5, 7, 3\]"),
        ([PICTURES[0], 3], "Received as image 1: int"),
        ([np.zeros([4, 6], np.float32)], r"array float32 \[4, 6\]"),
    ],
)
def test_what_is_no_image_is_refused(client, images, match):
    with pytest.raises(ValueError, match=match):
        client.features(images)


def test_masks_and_seeds_must_fit_the_images(client):
    for options, match in (
        ({"patch_mask": np.zeros([3, 2, 3])}, "`patch_mask` must have one"),
        ({"seeds": [1]}, "`seed` must have one entry for each of the 2"),
        ({"patch_mask": [], "seeds": []}, "exclude each other"),
    ):
        with pytest.raises(ValueError, match=match):
            client.reconstruct(PICTURES[:2], **options)
    with pytest.raises(ValueError, match="float"):
        client.reconstruct([np.zeros([4, 6, 3])])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"protocol": "soap"}, "`protocol` must be 'rest' or 'grpc'"),
        ({"version": 1, "label": "a"}, "exclude each other"),
        ({"batch_size": 0}, "`batch_size` must be 1 or more. Received: 0"),
        ({"retries": -1}, "`retries` must be 0 or more"),
        ({"timeout_seconds": 0}, "`timeout_seconds` must be positive"),
        ({"address": "ftp://h:1"}, "`address` must be host:port"),
        ({"address": "http://h/v1", "protocol": "grpc"}, "for gRPC"),
    ],
)
def test_arguments_are_checked(options, match):
    with pytest.raises(ValueError, match=match):
        serving_client.Client(**{"address": "localhost:1", **options})


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_an_address_without_a_port_is_refused(protocol):
    addresses = ["localhost", "localhost:", "localhost:port", ":1", "", "[::1]"]
    addresses += ["localhost:0", "10.0.0.1", "::1", "localhost:123456"]
    if protocol == "rest":
        addresses += ["http://localhost", "https://localhost/"]
    addresses.append("localhost:99999")
    for address in addresses:
        with pytest.raises(ValueError, match="must be host:port") as caught:
            serving_client.Client(address, protocol=protocol)
        assert f"Received: {address!r}." in str(caught.value)
    for address in ("localhost:8501", "[::1]:8501", "10.0.0.1:65535"):
        serving_client.Client(address, protocol=protocol).close()


def test_a_socket_of_the_machine_is_an_address_of_grpc():
    for address in ("unix:/tmp/socket", "dns:///localhost:8500"):
        serving_client.Client(address, protocol="grpc").close()


def test_a_client_of_rest_does_not_import_tensorflow():
    code = (
        "import sys; from serving import client; client.Client('localhost:1');"
        "sys.exit('tensorflow' in sys.modules or 'grpc' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


class Busy:
    """A server of both protocols that answers as it is told.

    `answers` holds statuses of HTTP, or names of codes of gRPC, in the order
    in which they are given.
    """

    def __init__(self, answers):
        self.answers = list(answers)
        self.num_requests = 0

    def next(self):
        self.num_requests += 1
        return self.answers.pop(0)

    @contextlib.contextmanager
    def rest(self):
        busy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status = busy.next()
                # A client that gave up has hung up.
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("Retry-After", "0.01")
                    self.end_headers()
                    body = {"error": f"says {status}"}
                    self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(
            target=server.serve_forever, args=(0.01,), daemon=True
        )
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @contextlib.contextmanager
    def grpc(self):
        busy = self

        class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
            def GetModelMetadata(self, request, context):
                code = busy.next()
                context.abort(grpc.StatusCode[code], f"says {code}")

        server = grpc.server(futures.ThreadPoolExecutor(1))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            Service(), server
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


@pytest.fixture
def waits(monkeypatch):
    """The seconds that the client would have waited."""
    seconds = []
    monkeypatch.setattr(retries.call, "__defaults__", (seconds.append,))
    return seconds


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [
        ("rest", [503, 503, 404]),
        ("grpc", ["UNAVAILABLE", "UNAVAILABLE", "NOT_FOUND"]),
    ],
)
def test_a_busy_server_is_asked_again(protocol, answers, waits):
    busy = Busy(answers)
    with getattr(busy, protocol)() as address:
        with serving_client.Client(address, protocol=protocol) as made:
            with pytest.raises(serving_client.RequestError) as caught:
                made.features(PICTURES)
    assert str(caught.value) == f"says {answers[-1]}"
    assert (busy.num_requests, len(waits)) == (3, 2)
    assert 0.05 <= waits[0] < 0.1 <= waits[1] < 0.2


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [
        *(("rest", [status]) for status in (400, 404, 429, 500, 504)),
        *(("grpc", [code]) for code in ("INTERNAL", "DEADLINE_EXCEEDED")),
        ("grpc", ["RESOURCE_EXHAUSTED"]),
    ],
)
def test_nothing_else_is_asked_again(protocol, answers, waits):
    busy = Busy(answers)
    with getattr(busy, protocol)() as address:
        with serving_client.Client(address, protocol=protocol) as made:
            with pytest.raises(serving_client.RequestError):
                made.features(PICTURES)
    assert (busy.num_requests, waits) == (1, [])


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_server_that_is_not_there_is_said_to_be_unavailable(protocol, waits):
    address = f"127.0.0.1:{live_server.free_port()}"
    with serving_client.Client(address, protocol=protocol, retries=3) as made:
        with pytest.raises(serving_client.RequestError) as caught:
            made.features(PICTURES)
    assert caught.value.code == "UNAVAILABLE"
    assert len(waits) == 3


def test_an_answer_that_does_not_come_is_not_waited_for(waits):
    release = threading.Event()
    busy = Busy([])
    busy.next = lambda: release.wait(20) and 404
    with busy.rest() as address:
        made = serving_client.Client(address, timeout_seconds=0.2)
        with pytest.raises(serving_client.RequestError, match="within 0.2 s"):
            made.features(PICTURES)
        release.set()
    assert waits == []


def test_the_wait_is_as_long_as_the_server_asks_for_but_five_seconds():
    seconds = []
    errors = [
        serving_client.RequestError("UNAVAILABLE", "", wait)
        for wait in (2.0, 60.0, None)
    ]

    def function():
        if errors:
            raise errors.pop(0)
        return "done"

    assert retries.call(function, 3, seconds.append) == "done"
    assert seconds[:2] == [2.0, 5.0]
    assert 0.2 <= seconds[2] < 0.4
