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


def test_splits_inside_of_classes_are_found():
    files = [b"cat/a.png", b"cat/Train/a.png", b"cat/Train/b/c.png"]
    files += [b"dog/test/a.png", b"dog/old/test/b.png", b"test/a.png"]
    assert split_names.below_classes(files) == [b"cat/Train", b"dog/test"]
