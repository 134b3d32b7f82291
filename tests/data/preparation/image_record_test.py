"""Tests for tf_simmim.data.preparation.image_record."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_simmim.data.preparation import image_record
from tf_simmim.data.sources import arrays


def stored(images, labels=None, **options):
    """Returns the features of the first two images, and them as pictures."""
    source = arrays.ArraySource(images, labels)
    record = image_record.ImageRecord(source, **options)
    features = [
        tf.train.Example.FromString(record(index)).features.feature
        for index in record.elements(None, shuffle=False).take(2)
    ]
    pictures = [
        Image.open(io.BytesIO(f["image/encoded"].bytes_list.value[0]))
        for f in features
    ]
    return features, pictures


def smooth(height, width):
    """Returns images without edges, uint8 [2, H, W, 3]."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([y * 200 / height, x * 200 / width, (x + y) / 9], axis=-1)
    return np.stack([pixels, 255 - pixels]).astype(np.uint8)


@pytest.mark.parametrize(
    "size, short_side, want",
    [
        ((60, 80), 30, (30, 40)),
        ((81, 60), 20, (27, 20)),
        ((50, 33), 32, (48, 32)),  # 48.48
        ((24, 91), 24, (24, 91)),
        ((24, 91), 30, (24, 91)),
        ((24, 91), 0, (24, 91)),
    ],
)
def test_the_short_side_is_never_enlarged(size, short_side, want):
    images = smooth(*size)
    features, pictures = stored(
        images, short_side=short_side, image_format="png"
    )
    for image, feature, picture in zip(images, features, pictures, strict=True):
        assert (picture.height, picture.width) == want
        assert list(feature["image/height"].int64_list.value) == [want[0]]
        assert list(feature["image/width"].int64_list.value) == [want[1]]
        reference = Image.fromarray(image).resize(
            want[::-1], Image.Resampling.BICUBIC
        )
        difference = np.asarray(picture, int) - np.asarray(reference, int)
        assert np.abs(difference).max() <= 2  # Pillow's weights have 8 bits


def test_fine_stripes_become_grey_and_not_other_stripes():
    images = np.zeros([2, 40, 60, 3], np.uint8)
    images[:, :, ::2] = 254
    _, pictures = stored(images, short_side=10, image_format="png")
    inside = np.asarray(pictures[0], int)[2:-2, 2:-2]
    assert pictures[0].mode == "L"
    assert np.abs(inside - 127).max() < 12


def test_jpeg_of_higher_quality_is_nearer_and_larger():
    images = smooth(64, 48)
    errors, sizes = [], []
    for quality in (30, 90):
        features, pictures = stored(images, quality=quality)
        assert pictures[0].format == "JPEG"
        assert features[0]["image/format"].bytes_list.value == [b"jpeg"]
        errors.append(np.abs(np.asarray(pictures[0], int) - images[0]).mean())
        sizes.append(len(features[0]["image/encoded"].bytes_list.value[0]))
    assert errors[1] < errors[0]
    assert errors[1] < 2
    assert sizes[0] < sizes[1]


def test_one_channel_and_labels_are_kept_and_bytes_are_the_same_again():
    images = smooth(8, 12)[..., :1]
    features, pictures = stored(images, labels=[7, 9], image_format="png")
    for picture, image in zip(pictures, images, strict=True):
        np.testing.assert_array_equal(np.asarray(picture), image[..., 0])
    labels = [f["image/class/label"].int64_list.value[0] for f in features]
    assert labels == [7, 9]
    source = arrays.ArraySource(images, [7, 9])
    first, second = (image_record.ImageRecord(source) for _ in range(2))
    index = tf.constant(1, tf.int64)
    assert first(index) == second(index)
