"""Tests for serving.pixel_limit and serving.image_header."""

import contextlib
import io
import struct
import time

import hypothesis
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from hypothesis import strategies

from serving import engine
from serving import errors
from serving import examples
from serving import image_header
from serving import pixel_limit
from tf_simmim.export import manifest
from tf_simmim.export import signatures


def encoded(kind, width, height, **kwargs):
    file = io.BytesIO()
    PIL.Image.new("RGB", (width, height)).save(file, kind, **kwargs)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"exif": b"Exif\0\0" + bytes(3000), "comment": b"hello"}),
    ],
)
def test_the_size_is_that_of_the_header(kind, kwargs):
    content = encoded(kind, 7, 300, **kwargs)
    assert image_header.size_of(content) == (7, 300)


def test_old_and_upside_down_bitmaps_and_fill_bytes_are_read():
    old = b"BM" + bytes(12) + struct.pack("<IHH", 12, 5, 6)
    assert image_header.size_of(old) == (5, 6)
    down = b"BM" + bytes(12) + struct.pack("<Iii", 40, 5, -6)
    assert image_header.size_of(down) == (5, 6)
    jpeg = encoded("JPEG", 5, 6)
    assert image_header.size_of(jpeg[:2] + b"\xff" * 9 + jpeg[2:]) == (5, 6)


@hypothesis.given(
    start=strategies.sampled_from(
        [
            b"",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"BM",
            b"\xff\xd8",
            b"\xff\xd8\xff",
        ]
    ),
    rest=strategies.binary(max_size=60),
)
def test_no_bytes_break_it(start, rest):
    found = image_header.size_of(start + rest)
    assert found is None or min(found) >= 0


def test_a_file_of_headers_alone_does_not_take_long():
    content = b"\xff\xd8" + b"\xff\xe0\0\2" * 2**20
    began = time.monotonic()
    assert image_header.size_of(content) is None
    assert time.monotonic() - began < 1


def test_the_limit_is_the_manifests(tmp_path):
    assert pixel_limit.of_export(tmp_path) is None
    manifest.write(tmp_path, {"input": {"max_pixels": 99}})
    assert pixel_limit.of_export(tmp_path) == 99
    for other in ("[]", "{", '{"format": "x", "input": {"max_pixels": 9}}'):
        (tmp_path / manifest.FILE_NAME).write_text(other)
        assert pixel_limit.of_export(tmp_path) is None


@pytest.fixture(scope="module")
def limited(models):
    loaded = engine.SavedModelEngine(models / "kinds/1")
    with contextlib.closing(pixel_limit.PixelLimit(loaded, 20)) as found:
        yield found


def strings(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(limited):
    small, large = encoded("PNG", 4, 5), encoded("PNG", 3, 7)
    found = limited.run("png", {"image_bytes": strings(small, small)})
    assert found["pixels"].shape == (2, 5, 4, 3)
    # Cut off behind its header, so that it cannot be decoded.
    bad = strings(small, large[:30])
    with pytest.raises(errors.ServingError) as caught:
        limited.run("png", {"image_bytes": bad})
    assert caught.value.code == "INVALID_ARGUMENT"
    assert caught.value.message == (
        "An image of 3 x 7 pixels is larger than 20 pixels, the limit of this "
        "model"
    )


def test_an_image_in_an_example_counts_too(limited):
    assert examples.EXAMPLE_FEATURE == signatures.EXAMPLE_FEATURE

    def example(file):
        values = tf.train.BytesList(value=[file])
        feature = {
            examples.EXAMPLE_FEATURE: tf.train.Feature(bytes_list=values),
            "x": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0])),
        }
        features = tf.train.Features(feature=feature)
        return tf.train.Example(features=features).SerializeToString()

    small = example(encoded("JPEG", 4, 5))
    found = limited.run("classify_names", {"inputs": strings(small)})
    assert found["scores"].tolist() == [[1.0, -1.0]]
    large = strings(small, example(encoded("JPEG", 5, 5)))
    with pytest.raises(errors.ServingError, match="5 x 5 pixels"):
        limited.run("classify_names", {"inputs": large})
    with pytest.raises(errors.ServingError, match="parse"):
        limited.run("classify_names", {"inputs": strings(b"no example")})


def test_strings_of_another_shape_are_not_looked_at_but_refused(limited):
    seen = []
    limited._check = lambda alias, content: seen.append(content)
    with pytest.raises(errors.ServingError) as caught:
        limited.run("png", {"image_bytes": strings(b"", b"").reshape(1, 2)})
    assert caught.value.code == "INVALID_ARGUMENT"
    del limited._check
    assert not seen


def test_what_is_no_image_is_left_to_the_model(limited):
    x = {"x": np.float32([5.0])}
    assert limited.run("fifth", x)["y"].tolist() == [1.0]
    text = {"text": strings(b"hello")}
    assert limited.run("text", text)["text"].tolist() == [b"hello!"]
