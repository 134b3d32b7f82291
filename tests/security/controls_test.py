"""Shows that the hostile files are alive: the wrong loader sets them off.

Without this, `loading_test.py` could pass because its files are duds.
"""

import pickle
import sys

import h5py
import numpy as np
import pytest
import tensorflow as tf

from tests.security import hostile
from tf_simmim import models


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


@pytest.mark.parametrize(
    "make, load",
    [
        (hostile.lambda_h5, tf.keras.models.load_model),
        (
            hostile.lambda_keras,
            lambda path: tf.keras.models.load_model(path, safe_mode=False),
        ),
        (hostile.saved_model, lambda path: tf.saved_model.load(str(path))),
        (hostile.pickled, lambda path: pickle.loads(path.read_bytes())),
        (hostile.object_array, lambda path: np.load(path, allow_pickle=True)),
        (
            hostile.object_arrays,
            lambda path: np.load(path, allow_pickle=True)["mask_token"],
        ),
    ],
    ids=lambda value: value.__name__,
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_dangerous_loader_makes_the_marker(make, load, tmp_path, marker):
    path = make(tmp_path, marker)
    assert not marker.exists()
    load(path)
    assert marker.exists()


def test_keras_loads_no_layer_that_is_a_saved_model(tmp_path, marker):
    """Not Keras 2, nor by way of Keras 3, which may be installed beside it."""
    path = hostile.saved_model_keras(tmp_path, marker)
    with pytest.raises(TypeError, match="TFSMLayer"):
        tf.keras.models.load_model(path, safe_mode=False)
    layer = hostile.saved_model_layer(tmp_path, marker)
    for module in ("keras.layers", "keras.src.export.tfsm_layer"):
        with pytest.raises(TypeError, match="TFSMLayer"):
            models.SimMIM.from_config({"backbone": {**layer, "module": module}})
    assert not marker.exists()


def test_hdf5_reads_the_bytes_of_another_file(tmp_path):
    path = hostile.external_h5(tmp_path, "mask_token", (2, 3))
    with h5py.File(path) as file:
        value = np.asarray(file["mask_token"])
    np.testing.assert_array_equal(
        value, np.full([2, 3], hostile.SECRET, np.float32)
    )


def test_keras_imports_the_module_that_a_configuration_names(
    tmp_path, marker, monkeypatch
):
    hostile.plant_module(tmp_path, marker)
    monkeypatch.syspath_prepend(str(tmp_path))
    config = hostile.foreign_class()
    with pytest.raises((TypeError, AttributeError, NotImplementedError)):
        models.SimMIM.from_config({"backbone": config})
    assert marker.exists()
    sys.modules.pop(hostile.PLANTED_MODULE)


def test_a_link_is_followed_by_tensorflow(tmp_path):
    folder = tmp_path / "run" / "checkpoints" / "step-00000001"
    folder.mkdir(parents=True)
    saved = tf.train.Checkpoint(v=tf.Variable(np.float32(hostile.SECRET)))
    saved.write(str(folder / "state"))
    hostile.link_checkpoint(tmp_path / "run")
    live = tf.train.Checkpoint(v=tf.Variable(0.0))
    live.read(str(folder / "state"))
    assert float(live.v) == np.float32(hostile.SECRET)
