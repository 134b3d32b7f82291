"""Tests for serving.rest.response_json; the rest: routes_test.py."""

import json

import numpy as np
import pytest

from serving import errors
from serving import version_status
from serving.rest import response_json


def test_floats_are_written_in_the_fewest_digits():
    values = np.array([0.2, 1 / 3, 16777216, -2], np.float32)
    text = response_json.outputs({"y": values})
    assert b"[0.2,0.33333334,16777216.0,-2.0]" in text


@pytest.mark.parametrize("last", [1.0, np.nan])
def test_a_value_that_is_not_finite_changes_no_other(last):
    values = np.array([[0.2, 1 / 3], [-1e20, last]], np.float32)
    document = json.loads(response_json.outputs({"y": values}))
    np.testing.assert_array_equal(
        np.array(document["outputs"], np.float32), values
    )


def test_an_empty_batch_has_no_predictions():
    outputs = {"a": np.zeros([0, 2], np.int32), "b": np.zeros([0], object)}
    document = json.loads(response_json.predictions(outputs))
    assert document == {"predictions": []}
    one = json.loads(response_json.predictions({"a": outputs["a"]}))
    assert one == {"predictions": []}


def test_an_empty_batch_beside_another_is_refused():
    outputs = {"a": np.zeros([0, 2], np.int32), "b": np.ones([1], np.int32)}
    with pytest.raises(errors.ServingError, match="inconsistent batch size: 1"):
        response_json.predictions(outputs)


@pytest.mark.parametrize(
    "write", [response_json.predictions, response_json.outputs]
)
def test_no_outputs_are_refused(write):
    with pytest.raises(errors.ServingError, match="empty tensor map"):
        write({})


def test_arrays_of_any_layout_are_written():
    values = np.arange(6, dtype=np.int64).reshape(2, 3).T
    document = json.loads(response_json.predictions({"y": values}))
    assert document == {"predictions": [[0, 3], [1, 4], [2, 5]]}


def test_names_of_classes_are_escaped():
    text = response_json.classes([[(b'a"\xff', np.float32(0.2))]])
    assert b'["a\\"\xff", 0.2]' in text


def test_the_error_of_a_version_is_told():
    status = version_status.VersionStatus(
        7, version_status.END, errors.ServingError("NOT_FOUND", "no such file")
    )
    (entry,) = json.loads(response_json.statuses([status]))[
        "model_version_status"
    ]
    assert entry == {
        "version": "7",
        "state": "END",
        "status": {"error_code": "NOT_FOUND", "error_message": "no such file"},
    }


@pytest.mark.parametrize(
    "name, value", [("y_bytes", {"b64": "YWI="}), ("bytes", "ab"), ("y", "ab")]
)
def test_strings_are_base64_under_names_that_end_in_bytes(name, value):
    text = response_json.outputs({name: np.array([b"ab"], object)})
    assert json.loads(text) == {"outputs": [value]}
