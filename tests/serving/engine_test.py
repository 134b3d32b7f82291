"""Tests for serving.engine."""

import concurrent.futures
import time
import unittest.mock

import numpy as np
import pytest
import tensorflow as tf

from serving import engine
from serving import errors
from serving import inference
from tests.serving import saved_models


@pytest.fixture(scope="module")
def kinds(models):
    loaded = engine.SavedModelEngine(models / "kinds/1")
    yield loaded
    loaded.close()


def test_a_signature_computes_what_the_saved_model_does(models):
    path = models / "half_plus_two/00000123"
    loaded = engine.SavedModelEngine(path)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    out = loaded.run("serving_default", {"x": x})
    want = tf.saved_model.load(str(path)).signatures["serving_default"](
        tf.constant(x)
    )
    assert out.keys() == {"y"}
    np.testing.assert_array_equal(out["y"], want["y"])
    np.testing.assert_array_equal(out["y"], x / 2 + 2)
    assert out["y"].dtype == np.float32
    loaded.close()


@pytest.mark.parametrize("value", [b"", b"a\0b\0", b"\xff"])
def test_bytes_come_back_whole_also_without_a_dimension(kinds, value):
    for array in (np.array(value, object), np.array([value] * 2, object)):
        out = kinds.run("echo_string", {"x": array})["y"]
        assert out.shape == array.shape
        assert out.dtype == object
        assert out.tolist() == array.tolist()


@pytest.mark.parametrize("name", saved_models.ECHOED)
def test_every_data_type_goes_through(kinds, name):
    value = np.array([[b"a", b"b"]], object)
    if name != "string":
        value = np.array([[0, 1]], tf.as_dtype(name).as_numpy_dtype)
    out = kinds.run(f"echo_{name}", {"x": value})["y"]
    assert out.dtype == value.dtype
    np.testing.assert_array_equal(out, value)


def test_an_operation_that_fails_says_so_without_a_trace(kinds):
    with pytest.raises(errors.ServingError) as caught:
        kinds.run("png", {"image_bytes": np.array([b"hello"], object)})
    assert caught.value.code == "INVALID_ARGUMENT"
    for trace in ("Traceback", 'File "', "stack trace", str(kinds.path)):
        assert trace not in caught.value.message


def test_a_run_beyond_the_time_limit_is_cancelled(models):
    loaded = engine.SavedModelEngine(models / "kinds/1", timeout_in_ms=500)
    began = time.monotonic()
    with pytest.raises(errors.ServingError) as caught:
        loaded.run("slow", {"steps": np.int32([2**31 - 1])})
    assert caught.value.code == "DEADLINE_EXCEEDED"
    # Two thousand million steps take hours.
    assert time.monotonic() - began < 60
    loaded.close()


def test_threads_may_run_one_engine_at_a_time(models):
    loaded = engine.SavedModelEngine(models / "half_plus_two/00000124")

    def run(i):
        x = np.full([3], i, np.float32)
        return loaded.run("serving_default", {"x": x})["y"][0]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(40))) == [i / 2 + 3 for i in range(40)]
    loaded.close()


def test_without_the_private_method_of_sessions_the_answers_are_the_same(
    models,
):
    session = tf.compat.v1.Session
    private = "_make_callable_from_options"
    owner = next(cls for cls in session.__mro__ if private in vars(cls))
    with unittest.mock.patch.object(owner, private, None):
        loaded = engine.SavedModelEngine(models / "kinds/1", timeout_in_ms=2000)
        a, b = np.int32([1, 2]), np.float32([[1, 2], [3, 4]])
        out = loaded.run("two", {"a": a, "b": b})
        np.testing.assert_array_equal(out["sum"], [[2, 3], [5, 6]])
        np.testing.assert_array_equal(out["twice"], [2, 4])
        text = np.array(b"a\0", object)
        assert loaded.run("echo_string", {"x": text})["y"][()] == b"a\0"
        with pytest.raises(errors.ServingError, match="DEADLINE_EXCEEDED"):
            loaded.run("slow", {"steps": np.int32([2**31 - 1])})
    loaded.close()


def test_what_is_prepared_makes_no_request_the_first(models, monkeypatch):
    """Whatever outputs it asks for; and what cannot run stays an error."""
    loaded = engine.SavedModelEngine(models / "kinds/1")
    loaded.prepare()
    # Making a callable would end this, and the session answers nobody then.
    monkeypatch.setattr(loaded, "_session", None)
    two = {"a": np.int32([1, 2]), "b": np.float32([[1, 2], [3, 4]])}
    for chosen in (["twice"], ["sum"], ["sum", "twice"], []):
        out = inference.predict(loaded, "two", two, chosen)
        assert list(out) == (chosen or list(out))
        if "twice" in out:
            np.testing.assert_array_equal(out["twice"], [2, 4])
    out = loaded.run("fifth", {"x": np.float32([10])})
    np.testing.assert_array_equal(out["y"], [2])
    for _ in range(2):
        with pytest.raises(errors.ServingError, match="NoOp") as caught:
            loaded.run("__saved_model_init_op", {})
        assert caught.value.code == "OUT_OF_RANGE"
    monkeypatch.undo()
    loaded.close()


def test_signatures_of_the_same_tensors_are_optimised_once(kinds):
    kinds.signatures["alias"] = kinds.signatures["fifth"]
    x = {"x": np.float32([10])}
    before = kinds.run("fifth", x), len(kinds._callables)
    np.testing.assert_array_equal(kinds.run("alias", x)["y"], before[0]["y"])
    assert len(kinds._callables) == before[1]
    del kinds.signatures["alias"]


@pytest.mark.parametrize(
    ("tags", "path", "code", "message"),
    [
        (["serve"], "nothing", "NOT_FOUND", "SavedModel file does not exist"),
        (["gpu"], "kinds/1", "INVALID_ARGUMENT", "could not be found"),
    ],
)
def test_what_cannot_be_loaded_is_told(models, tags, path, code, message):
    with pytest.raises(errors.ServingError, match=message) as caught:
        engine.SavedModelEngine(models / path, tags=tags)
    assert caught.value.code == code


@pytest.mark.parametrize("damage", ["saved_model.pb", "variables"])
def test_a_damaged_saved_model_is_an_error_of_the_contract(tmp_path, damage):
    path = tmp_path / "1"
    saved_models.write_half_plus(path, 2.0)
    if damage == "variables":
        for file in (path / "variables").iterdir():
            file.write_bytes(b"damaged")
    else:
        (path / damage).write_bytes(b"damaged")
    with pytest.raises(errors.ServingError):
        engine.SavedModelEngine(path)
