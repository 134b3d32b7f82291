"""Tests for tf_simmim.data.sources.split_names."""

import pytest

from tf_simmim.data.sources import split_names


@pytest.mark.parametrize(
    "names, meaning",
    [
        ("train TRAIN Training training_set train2017 Train-Images", "train"),
        ("val VAL Valid VALIDATION dev Eval holdout hold-out", "validation"),
        ("held_out val_images val2017 validation-set", "validation"),
        ("test Test TESTING test_set test-data testset", "test"),
        ("cat invalid latest device trainer contest 2017 set données", None),
        ("test1 valley training_wheels traindogs", None),
    ],
)
def test_names_mean_splits_in_any_case_and_usual_form(names, meaning):
    for name in names.split():
        assert split_names.meaning(name.encode()) == meaning, name


def test_the_usual_name_comes_first_of_those_that_mean_the_same():
    found = split_names.find([b"dev", b"Val", b"cat", b"test", b"val", b"eval"])
    assert found == {
        "train": [],
        "validation": [b"Val", b"val", b"dev", b"eval"],
        "test": [b"test"],
    }


@pytest.mark.parametrize(
    "names",
    [
        "seg_train seg_test seg_pred",
        "ILSVRC2012_img_train ILSVRC2012_img_val",
        "images_train images_val",
        "my_train my_val",
        "01_train 02_val",
        "train_01 val_01",
        "train-224 val-224",
        "train256 val256",
        "trainA testA",
        "TrainClean ValClean",
        "train_clean val_clean",
        "train_split1 val_split1",
        "train_labeled test_unlabeled",
        "catsTraining catsTesting other1 other2",
    ],
)
def test_one_word_of_a_name_may_look_like_a_split(names):
    names = [name.encode() for name in names.split()]
    assert split_names.unclear(names)[:2] == names[:2]


def test_classes_with_such_a_word_stay_classes():
    assert split_names.unclear([b"Train (1)", b"Val (1)"])
    for names in (
        [b"training_wheels", b"test_tube", b"cat", b"dog", b"cow"],
        [b"training_wheels", b"wheel"],
        [b"test_tube", b"val_d_isere"],
        [
            b"contest",
            b"trainer",
            b"Orval",
            "entraîné".encode(),
            "testé".encode(),
        ],
    ):
        assert split_names.unclear(names) == []


def test_splits_inside_of_classes_are_found():
    files = [b"cat/a.png", b"cat/Train/a.png", b"cat/Train/b/c.png"]
    files += [b"dog/test/a.png", b"dog/old/test/b.png", b"test/a.png"]
    assert split_names.below_classes(files) == [b"cat/Train", b"dog/test"]
