"""Tests for tf_simmim.data.service."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tests.integration import cluster
from tf_simmim.data import augmentation
from tf_simmim.data import normalization
from tf_simmim.data import service
from tf_simmim.data import stream
from tf_simmim.data.sources import dataset
from tf_simmim.data.sources import digits
from tf_simmim.data.sources import folder
from tf_simmim.data.sources import tfrecord

pytestmark = pytest.mark.slow

NUM_IMAGES = 23


def picture(number):
    pixels = np.random.RandomState(number).randint(0, 256, (14, 18, 3))
    return tf.io.encode_png(pixels.astype(np.uint8)).numpy()


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Addresses of three servers, each a dispatcher with one worker."""
    logs = tmp_path_factory.mktemp("servers")
    with contextlib.ExitStack() as stack:
        addresses = [
            stack.enter_context(cluster.data_server(logs / str(number)))
            for number in range(3)
        ]
        yield [f"grpc://{address}" for address in addresses]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for number in range(NUM_IMAGES):
        path = root / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(number))
    records = tmp_path_factory.mktemp("records")
    for shard in range(3):
        with tf.io.TFRecordWriter(str(records / str(shard))) as writer:
            for number in range(7 + shard):
                image = tf.train.BytesList(value=[picture(10 * shard + number)])
                features = {"image/encoded": tf.train.Feature(bytes_list=image)}
                example = tf.train.Example(
                    features=tf.train.Features(feature=features)
                )
                writer.write(example.SerializeToString())
    return {
        "folder": folder.FolderSource(str(root), "all"),
        "tfrecord": tfrecord.TFRecordSource(f"{records}/*", "all"),
        "digits": digits.DigitsSource(),
    }


def stream_of(source):
    return stream.ImageStream(
        source,
        augmentation.PretrainingAugmentation((8, 12)),
        normalization.Normalization(source.mean, source.std),
        seed=5,
    )


def assert_same(served, local, count):
    num_compared = 0
    pairs = zip(served.take(count), local.take(count), strict=True)
    for got, want in pairs:
        assert got.keys() == want.keys()
        for key, value in want.items():
            np.testing.assert_array_equal(got[key], value)
        num_compared += 1
    assert num_compared == count


@pytest.mark.parametrize(
    "kind, num_servers, first",
    [("folder", 3, 4), ("tfrecord", 2, 5), ("digits", 1, 0)],
)
def test_batches_are_those_of_the_local_stream(
    sources, servers, kind, num_servers, first
):
    images = stream_of(sources[kind])
    start = 4 * first  # in the middle of an epoch, and of a turn
    served = service.served_batches(
        images, servers[:num_servers], 4, start_index=start
    )
    assert served.element_spec == images.batches(4).element_spec
    assert_same(served, images.batches(4, start_index=start), 13)


def test_each_trainer_gets_its_own_rows(sources, servers):
    images = stream_of(sources["folder"])
    for worker in range(2):
        share = {"start_index": 18, "num_workers": 2, "worker": worker}
        served = service.served_batches(images, servers[:2], 6, **share)
        assert_same(served, images.batches(6, **share), 5)


def test_replicas_get_the_parts_of_the_local_stream(sources, servers):
    images = stream_of(sources["digits"])
    share = {"start_index": 24, "num_workers": 2, "worker": 1}
    share["num_replicas"] = 3
    served = service.served_batches(images, servers[:2], 12, **share)
    assert_same(served, images.batches(12, **share), 7)


def test_a_bad_image_ends_the_data_set(sources, servers, tmp_path):
    (tmp_path / "0.png").write_bytes(picture(0))
    (tmp_path / "1.png").write_bytes(b"<html>")
    images = stream_of(folder.FolderSource(str(tmp_path), "all"))
    served = service.served_batches(images, servers[:1], 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)1.png"):
        next(iter(served))
    assert len(images.bad_images) == 0


def test_sources_that_need_python_are_refused(servers):
    def generate():
        yield np.zeros([5, 7, 3], np.uint8)

    images = tf.data.Dataset.from_generator(
        generate, output_signature=tf.TensorSpec([None, None, 3], tf.uint8)
    )
    images = stream_of(dataset.DatasetSource(images, 1))
    with pytest.raises(ValueError, match="read with Python.*prepare it"):
        service.served_batches(images, servers, 1)


@pytest.mark.parametrize("names", [[], ["a:1", "grpc://a:1"]])
def test_servers_are_named_once_each(sources, names):
    with pytest.raises(ValueError, match="`servers` must name one"):
        service.served_batches(stream_of(sources["digits"]), names, 2)


def test_wrong_arguments_are_named_as_they_were_given(sources, servers):
    images = stream_of(sources["digits"])
    with pytest.raises(
        ValueError, match="Received: start_index=3, batch_size=2"
    ):
        service.served_batches(images, servers, 2, start_index=3)
