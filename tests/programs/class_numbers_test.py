"""Tests for programs/class_numbers.py."""

import numpy as np
import pytest

from tf_simmim import data
from tf_simmim.programs import class_numbers


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


def test_numbers_that_no_training_image_has_are_logged(caplog):
    class_numbers.name_classes(source([1, 3, 3, 1]), None)
    assert "theirs: 2 of 4 classes have no training image: 0, 2." in caplog.text


def folder(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return str(root)


def test_one_class_is_refused_with_its_folder(tmp_path):
    names = ("images/cat/a.png", "images/dog/b.png")
    train = data.FolderSource(folder(tmp_path, *names))
    with pytest.raises(ValueError, match="two classes or more") as caught:
        class_numbers.require_classes(train, None, "")
    assert f"'images', in {tmp_path}/images. Each" in str(caught.value)
    assert f"give {tmp_path}/images." in str(caught.value)
    one = source([0] * 4, ["ant"])
    with pytest.raises(ValueError, match="1, 'ant', in theirs"):
        class_numbers.require_classes(one, None, "")


@pytest.mark.parametrize(
    "names, message",
    [
        (["val/cat/c.png", "val/yak/d.png"], "no training image is of: .*/yak"),
        (["val/c.png"], "/val, whose images have no labels"),
        (["TEST/c.png"], "/TEST, whose images have no labels"),
        (
            ["val/cat/c.png", "val/cat/d.png", "val/e.png"],
            "class: .*/val/e.png",
        ),
    ],
)
def test_held_out_images_of_other_classes_are_named(names, message, tmp_path):
    path = folder(tmp_path, "train/cat/a.png", "train/dog/b.png", *names)
    sources = (data.FolderSource(path, s) for s in ("train", "validation"))
    with pytest.raises(ValueError, match=f"or go. Received: .*{message}"):
        class_numbers.require_classes(*sources, "or go")


def test_classes_of_one_image_each_are_refused_if_some_are_held_out(tmp_path):
    path = folder(tmp_path, "ant/a.png", "bee/b.png", "cow/c.png")
    train, held_out = (data.FolderSource(path, s) for s in ("train", "test"))
    with pytest.raises(ValueError, match="two images.* one in each of 3 cl"):
        class_numbers.require_classes(train, held_out, "")
    class_numbers.require_classes(data.FolderSource(path, "all"), None, "")


def test_classes_without_images_are_logged_with_their_folder(tmp_path, caplog):
    names = ("train/cat/a.png", "train/dog/b.png", "val/dog/c.png")
    path = folder(tmp_path, *names)
    (tmp_path / "train/emu").mkdir()
    train, held_out = (
        data.FolderSource(path, split) for split in ("train", "validation")
    )
    assert f"without images, 1 in all: {tmp_path}/train/emu" in caplog.text
    class_numbers.require_classes(train, held_out, "")
    assert f"{tmp_path}/val: 1 of 2 classes have no held-out image: cat." in (
        caplog.text
    )


def test_images_without_labels_are_refused():
    for parts in ((source(None), None), (source([0] * 4), source(None))):
        with pytest.raises(ValueError, match="have labels.*theirs"):
            class_numbers.name_classes(*parts)
