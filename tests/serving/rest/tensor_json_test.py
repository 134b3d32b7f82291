"""Tests for serving.rest.tensor_json."""

import json
import unittest.mock

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies
from hypothesis.extra import numpy as hypothesis_numpy

from serving import errors
from serving.rest import response_json
from serving.rest import tensor_json

DTYPES = (
    *("bool", "float32", "float64", "int8", "int16", "int32", "int64"),
    *("uint8", "uint32", "uint64"),
)
# In doubt, every value that JSON can hold.
SCALARS = strategies.one_of(
    strategies.none(),
    strategies.booleans(),
    strategies.integers(-(2**65), 2**65),
    strategies.integers(-3, 300),
    strategies.floats(),
    strategies.text(max_size=3),
)
VALUES = strategies.recursive(
    SCALARS, lambda children: strategies.lists(children, max_size=3)
)


def enum(name):
    return tf.as_dtype(name).as_datatype_enum


def outcome(value, name):
    """What `tensor` makes of a value: a comparable array or its error."""
    try:
        array = tensor_json.tensor(value, enum(name))
    except errors.ServingError as error:
        return str(error)
    return array.dtype.name, array.shape, array.tobytes()


@pytest.mark.parametrize(
    "value", [["a" * 1000, ""], [[1], ["a"]], [1, [2]], [[1], 2], [[]], [None]]
)
def test_only_numbers_go_to_numpy(value):
    """It would give each of many strings the room of the longest."""
    with unittest.mock.patch.object(np, "array", side_effect=MemoryError):
        assert tensor_json.fast_tensor(value, enum("float32")) is None
        with pytest.raises(MemoryError):
            tensor_json.fast_tensor([[1], [2.5]], enum("float32"))


@pytest.mark.parametrize("name", DTYPES)
def test_what_is_written_reads_back_bit_for_bit(name):
    shapes = hypothesis_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0)

    @hypothesis.settings(max_examples=25, deadline=None)
    @hypothesis.given(hypothesis_numpy.arrays(name, shapes))
    def check(array):
        if array.dtype.kind == "f" and array.size:
            # NaN has one form in JSON; and the shortest text of the largest
            # float is more than it, which the contract refuses.
            array[np.isnan(array)] = np.nan
            array[np.abs(array) == np.finfo(name).max] = 1
        document = json.loads(response_json.outputs({"y": array}))
        read = tensor_json.tensor(document["outputs"], enum(name))
        assert read.dtype == array.dtype
        # `[]` within `[]` does not say how many elements the inner one has.
        if array.size:
            assert read.shape == array.shape
            assert read.tobytes() == array.tobytes()

    check()


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    strategies.lists(strategies.binary(max_size=9), max_size=4),
    strategies.booleans(),
)
def test_bytes_read_back_the_same_as_base64_and_as_text(values, as_base64):
    array = np.empty(len(values), object)
    array[:] = values
    name = "y_bytes" if as_base64 else "y"
    text = response_json.outputs({name: array})
    document = json.loads(text.decode("utf-8", "surrogateescape"))
    read = tensor_json.tensor(document["outputs"], enum("string"))
    assert read.tolist() == values


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(VALUES, strategies.sampled_from(DTYPES))
@pytest.mark.slow
def test_the_quick_way_gives_what_the_rules_give(value, name):
    quick = outcome(value, name)
    with unittest.mock.patch.object(
        tensor_json, "fast_tensor", return_value=None
    ):
        assert outcome(value, name) == quick


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ([[1.0, 2.5], [3, 4]], "float32"),
        ([[1, 2], [3, 4]], "int64"),
        ([2**63, 2**64 - 1], "uint64"),
    ],
)
def test_the_quick_way_is_taken_for_plain_numbers(value, name):
    assert tensor_json.fast_tensor(value, enum(name)) is not None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ([1, True], "int32"),
        ([[1.0], [True]], "float32"),
        ([2**24], "float32"),
        ([-(2**63)], "float64"),
        ([1.0], "int32"),
        ([2**31], "int8"),
        ([1, [2]], "int32"),
        (1.0, "float32"),
        ([], "float32"),
    ],
)
def test_the_quick_way_leaves_doubtful_values_to_the_rules(value, name):
    assert tensor_json.fast_tensor(value, enum(name)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b""),
        ("YQ==", b"a"),
        ("YQ", b"a"),
        (" Y\nQ\t=\r= ", b"a"),
        ("//79", b"\xff\xfe\xfd"),
    ],
)
def test_base64_is_read_with_or_without_padding_and_spaces(text, expected):
    assert tensor_json.decode_base64({"b64": text}) == expected


@pytest.mark.parametrize("text", ["a", "YQ=", "Y=Q=", "__79", "é", "YQ==YQ=="])
def test_what_is_no_base64_is_refused(text):
    with pytest.raises(errors.ServingError, match="Unable to base64 decode"):
        tensor_json.decode_base64({"b64": text})


def test_half_of_a_surrogate_pair_is_refused():
    with pytest.raises(errors.ServingError, match="surrogate pair"):
        tensor_json.tensor("\ud800", enum("string"))


def test_more_bits_than_the_type_has_are_cut_as_in_the_server():
    value = tensor_json.tensor([300, -1], enum("uint8"))
    np.testing.assert_array_equal(value, np.array([44, 255], np.uint8))
