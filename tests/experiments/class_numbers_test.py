"""Tests for experiments/class_numbers.py."""

import class_numbers
import numpy as np
import pytest

from tf_simmim import data


def source(labels, class_names=None):
    images = np.zeros([4, 6, 9, 1], np.uint8)
    return data.ArraySource(images, labels, class_names, name="theirs")


def names(train, held_out):
    """Returns the class names that sources have then."""
    class_numbers.name_classes(train, held_out)
    return train.class_names, held_out and held_out.class_names


def test_classes_without_names_are_called_by_their_numbers():
    train = [2, 0, 2, 0]
    want = ("0", "1", "2")
    assert names(source(train), source([0, 1, 1, 2])) == (want, want)
    assert names(source(train), None) == (want, None)


def test_held_out_images_with_a_greater_label_stay_without_names():
    want = (("0", "1", "2"), None)
    assert names(source([2, 0, 2, 0]), source([0, 1, 1, 3])) == want


def test_names_that_there_are_stay():
    train, held_out = source([1, 0, 1, 0], ("ant", "bee")), source([0] * 4)
    assert names(train, held_out) == (("ant", "bee"), None)


def test_images_without_labels_are_refused():
    for parts in ((source(None), None), (source([0] * 4), source(None))):
        with pytest.raises(ValueError, match="have labels.*theirs"):
            class_numbers.name_classes(*parts)
