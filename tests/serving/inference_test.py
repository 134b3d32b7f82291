"""Tests for serving.inference: what REST cannot ask; the rest: routes_test."""

import numpy as np
import pytest

from serving import engine
from serving import errors
from serving import inference

TWO = {"a": np.int32([1, 2]), "b": np.float32([[1, 2], [3, 4]])}


@pytest.fixture(scope="module")
def kinds(models):
    loaded = engine.SavedModelEngine(models / "kinds/1")
    yield loaded
    loaded.close()


def test_a_filter_chooses_outputs(kinds):
    assert inference.predict(kinds, "two", TWO, ["sum"]).keys() == {"sum"}
    assert inference.predict(kinds, "two", TWO).keys() == {"sum", "twice"}


@pytest.mark.parametrize(
    ("name", "inputs", "output_filter", "code", "message"),
    [
        (
            "",
            TWO,
            [],
            "FAILED_PRECONDITION",
            'Serving signature key "serving_default" not found.',
        ),
        (
            "two",
            {"a": TWO["a"], "z": TWO["a"], "y": TWO["a"]},
            [],
            "INVALID_ARGUMENT",
            "input size does not match signature: 3!=2 len({a,y,z}) != "
            "len({a,b}). Sent extra: {y,z}. Missing but required: {b}.",
        ),
        (
            "two",
            TWO,
            ["x"],
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: x Outputs expected "
            "to be in the set {sum,twice}.",
        ),
        (
            "two",
            TWO,
            ["sum", "sum"],
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: sum",
        ),
    ],
)
def test_a_wrong_request_is_told_as_tensorflow_serving_does(
    kinds, name, inputs, output_filter, code, message
):
    with pytest.raises(errors.ServingError) as caught:
        inference.predict(kinds, name, inputs, output_filter)
    assert (caught.value.code, caught.value.message) == (code, message)
