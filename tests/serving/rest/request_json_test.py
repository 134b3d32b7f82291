"""Tests for serving.rest.request_json; the rest: routes_test.py."""

import unittest.mock

import numpy as np
import pytest
import tensorflow as tf

from serving import errors
from serving.rest import limits as limits_lib
from serving.rest import request_json
from serving.rest import tensor_json

FLOAT = tf.float32.as_datatype_enum
INT = tf.int32.as_datatype_enum
STRING = tf.string.as_datatype_enum
LIMITS = limits_lib.Limits()


@pytest.mark.parametrize("fast", [True, False])
def test_rows_become_one_array_for_each_input(fast):
    document = {
        "instances": [
            {"i": [[1, 2], [3, 4], [5, 6]], "s": ["foo", "bar"], "f": 0.5},
            {
                "s": ["baz", {"b64": "YQ=="}],
                "i": [[7, 8], [9, 0], [1, 2]],
                "f": 2,
            },
        ]
    }
    dtypes = {"f": FLOAT, "i": INT, "s": STRING}
    quick = tensor_json.fast_tensor if fast else lambda value, dtype: None
    with unittest.mock.patch.object(tensor_json, "fast_tensor", quick):
        arrays, in_rows = request_json.tensors(document, dtypes)
    assert in_rows
    np.testing.assert_array_equal(
        arrays["i"], [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]]
    )
    assert arrays["i"].dtype == np.int32
    assert arrays["s"].tolist() == [[b"foo", b"bar"], [b"baz", b"a"]]
    np.testing.assert_array_equal(arrays["f"], np.float32([0.5, 2]))


def test_columns_may_have_different_ranks():
    arrays, in_rows = request_json.tensors(
        {"inputs": {"i": [[[1, 2], [3, 4]]], "s": {"b64": "aGVsbG8="}}},
        {"i": INT, "s": STRING},
    )
    assert not in_rows
    assert arrays["i"].shape == (1, 2, 2)
    assert arrays["s"].shape == ()
    assert arrays["s"][()] == b"hello"


def test_base64_for_the_first_of_two_inputs_fills_that_one_alone():
    arrays, _ = request_json.tensors(
        {"instances": [{"b64": "YQ=="}]}, {"a": STRING, "b": STRING}
    )
    assert set(arrays) == {"a"}


def test_features_of_every_kind_make_an_example():
    (serialized,) = request_json.examples(
        {
            "examples": [
                {
                    "names": ["baz", {"b64": "aGVsbG8="}],
                    "ratings": [8.0, float("nan"), float("inf")],
                    "age": 20,
                    "mix": [1, True, False],
                    "none": [],
                }
            ]
        },
        LIMITS,
    )
    features = tf.train.Example.FromString(serialized).features.feature
    assert list(features["names"].bytes_list.value) == [b"baz", b"hello"]
    np.testing.assert_array_equal(
        features["ratings"].float_list.value, [8.0, np.nan, np.inf]
    )
    assert list(features["age"].int64_list.value) == [20]
    assert list(features["mix"].int64_list.value) == [1, 1, 0]
    assert features["none"].WhichOneof("kind") is None


def test_context_is_put_before_each_example_which_overrides_it():
    serialized = request_json.examples(
        {"context": {"q": "pizza", "n": 1}, "examples": [{"n": 2}, {"m": 3}]},
        LIMITS,
    )
    first, second = (
        tf.train.Example.FromString(each).features.feature
        for each in serialized
    )
    assert list(first["q"].bytes_list.value) == [b"pizza"]
    assert list(first["n"].int64_list.value) == [2]
    assert list(second["n"].int64_list.value) == [1]
    assert list(second["m"].int64_list.value) == [3]


def test_numbers_beyond_64_bits_count_as_floats():
    (serialized,) = request_json.examples(
        {"examples": [{"x": -(2**64)}]}, LIMITS
    )
    features = tf.train.Example.FromString(serialized).features.feature
    assert list(features["x"].float_list.value) == [-(2.0**64)]
    with pytest.raises(errors.ServingError, match="without loss of precision"):
        request_json.examples({"examples": [{"x": 10**400}]}, LIMITS)


def test_a_context_is_counted_once_for_each_example():
    document = {"context": {"c": "c" * 1000}, "examples": [{"x": 1}] * 5}
    few = limits_lib.Limits(max_batch=5, max_body_bytes=6000)
    assert len(request_json.examples(document, few)) == 5
    for limits, why in (
        (limits_lib.Limits(max_batch=4), "may hold 4 examples"),
        (limits_lib.Limits(max_body_bytes=5000), "larger than 5000 bytes"),
    ):
        with pytest.raises(errors.ServingError, match=why):
            request_json.examples(document, limits)
