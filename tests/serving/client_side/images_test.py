"""Tests for serving.client_side.images and how they are put into requests."""

import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from serving.client_side import images
from serving.client_side import parts


def decoded(image):
    return Image.open(io.BytesIO(image.value))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3), (2, 3, 4)])
def test_an_array_becomes_a_picture_that_loses_nothing(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (image,) = images.prepare([array])
    got = np.array(decoded(image)).reshape(shape)
    np.testing.assert_array_equal(got, array)
    # Not in order in memory, as slices are.
    (image,) = images.prepare([array[:, ::-1]])
    got = np.array(decoded(image)).reshape(shape)
    np.testing.assert_array_equal(got, array[:, ::-1])


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "F"]
)
def test_a_pil_image_of_any_mode_becomes_a_png(mode):
    (image,) = images.prepare([Image.new(mode, (3, 2), 1)])
    got = decoded(image)
    assert (got.format, got.size) == ("PNG", (3, 2))


def test_a_pil_image_is_turned_as_its_exif_data_say():
    array = np.zeros([8, 16, 3], np.uint8)
    array[:, :8] = 255
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by a quarter, clockwise: left goes to the top.
    Image.fromarray(array).save(file, "JPEG", exif=exif)
    (image,) = images.prepare([Image.open(file)])
    got = np.array(decoded(image))
    assert got.shape == (16, 8, 3)
    assert got[:8].min() > 240 and got[8:].max() < 15


def test_a_pil_image_and_a_path_keep_their_names(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (2, 2)).save(path)
    of_path, of_image, of_bytes = images.prepare(
        [pathlib.Path(path), Image.open(path), path.read_bytes()]
    )
    assert (of_path.name, of_image.name) == (str(path), str(path))
    assert (of_bytes.index, of_bytes.name) == (2, "")
    assert of_bytes.value == of_path.value


def test_files_are_read_one_by_one_as_they_are_needed(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    prepared = images.prepare([path, tmp_path / "missing"])
    assert next(prepared).value == b"abc"
    with pytest.raises(FileNotFoundError, match="missing"):
        next(prepared)


def test_requests_are_full_by_number_or_by_bytes():
    files = [bytes(n) for n in (3, 3, 3, 3, 300, 3)]
    found = parts.chunks(images.prepare(files), 3, 100)
    indices = [[image.index for image in chunk] for chunk in found]
    assert indices == [[0, 1, 2], [3], [4], [5]]


def test_files_and_pixels_do_not_share_a_request():
    mixed = [b"a", b"b", np.zeros([2, 3, 1]), b"c"]
    found = parts.chunks(images.prepare(mixed, pixels_allowed=True), 9, 10**6)
    assert [len(chunk) for chunk in found] == [2, 1, 1]


def test_sizes_are_those_of_json_at_most():
    rng = np.random.default_rng(1)
    pixels = rng.uniform(0, 255, [5, 7, 3]).astype(np.float32)
    file, numbers = images.prepare([bytes(1000), pixels], pixels_allowed=True)
    assert 1336 <= file.num_bytes < 1400
    assert len(str(pixels.tolist())) <= numbers.num_bytes
