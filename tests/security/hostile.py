"""Model files that do harm when the wrong loader opens them.

Each function writes one and returns its path. The harm is small and visible:
a marker file appears, or the bytes of a file elsewhere become weights.
"""

import hashlib
import json
import pathlib
import pickle
import shutil
import warnings
import zipfile

import h5py
import numpy as np
import tensorflow as tf

PLANTED_MODULE = "planted_module"
# What the file elsewhere holds: the first weights, if they are ever read.
SECRET = 0.6170


class _Touch:
    """Makes the file `marker` while it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def _lambda_model(marker):
    def touch(inputs, marker=str(marker)):
        open(marker, "w").close()
        return inputs

    # Keras stores the code of a lambda, not of a function with a name.
    touch.__name__ = "<lambda>"
    model = tf.keras.Sequential(
        [tf.keras.Input([3]), tf.keras.layers.Lambda(touch)]
    )
    marker.unlink()
    return model


def lambda_h5(folder, marker):
    """A whole Keras model as HDF5, with code in a Lambda layer."""
    path = folder / "lambda.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls the format legacy
        _lambda_model(marker).save(path, save_format="h5")
    return path


def lambda_keras(folder, marker):
    """The same in Keras' newer format."""
    path = folder / "lambda.keras"
    _lambda_model(marker).save(path)
    return path


def saved_model(folder, marker):
    """A SavedModel that writes a file while it is loaded."""

    class Writer(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[])

        def _initialize(self):
            tf.io.write_file(str(marker), "")

    module = tf.Module()
    module.writer = Writer()

    @tf.function(input_signature=[])
    def use():
        with tf.control_dependencies([module.writer.resource_handle]):
            return tf.constant(1.0)

    module.use = use
    path = folder / "saved_model"
    tf.saved_model.save(module, str(path))
    marker.unlink(missing_ok=True)
    return path


def saved_model_layer(folder, marker):
    """The configuration of a layer that loads a SavedModel: CVE-2026-1462."""
    return {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"filepath": str(saved_model(folder, marker))},
        "registered_name": None,
    }


def saved_model_keras(folder, marker):
    """A Keras model that has such a layer."""
    layer = saved_model_layer(folder, marker)
    path = folder / "saved_model.keras"
    tf.keras.Sequential([tf.keras.Input([3])]).save(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    config["config"]["layers"].append(layer)
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pickled(folder, marker):
    """A pickle, which is what a .pth file is inside."""
    path = folder / "weights.pth"
    path.write_bytes(pickle.dumps(_Touch(marker)))
    return path


def object_array(folder, marker):
    """A NumPy array of an object that is unpickled."""
    path = folder / "weights.npy"
    np.save(path, np.array([_Touch(marker)], object))
    return path


def object_arrays(folder, marker):
    """The same among the arrays of an .npz."""
    path = folder / "weights.npz"
    np.savez(path, mask_token=np.array([_Touch(marker)], object))
    return path


def external_h5(folder, name, shape):
    """Weights as HDF5 whose bytes are those of another file."""
    secret = folder / "secret"
    secret.write_bytes(np.full(shape, SECRET, np.float32).tobytes())
    path = folder / "external.h5"
    with h5py.File(path, "w") as file:
        external = [(str(secret), 0, secret.stat().st_size)]
        file.create_dataset(name, shape, "float32", external=external)
    return path


def plant_module(folder, marker):
    """A Python file that makes the marker when it is imported."""
    path = folder / f"{PLANTED_MODULE}.py"
    path.write_text(
        f"open({str(marker)!r}, 'w').close()\n"
        "import tensorflow as tf\n"
        "class Backbone(tf.keras.Model):\n"
        "    pass\n"
    )
    return path


def foreign_class():
    """The configuration of a class in the planted module."""
    return {
        "module": PLANTED_MODULE,
        "class_name": "Backbone",
        "config": {},
        "registered_name": None,
    }


def lambda_layer():
    """The configuration of a Lambda layer, as Keras writes it."""
    layer = tf.keras.layers.Lambda(lambda inputs: inputs)
    return tf.keras.saving.serialize_keras_object(layer)


def edit_model(run, **changes):
    """Changes entries of a run's model, wherever it says what it is.

    That is model.json and the newest checkpoint's manifest. Returns the run's
    folder.
    """
    path = run / "model.json"
    document = json.loads(path.read_text())
    config = document["config"]
    for name, value in changes.items():
        backbone, _, option = name.partition("__")
        if option:
            config[backbone]["config"][option] = value
        else:
            config[name] = value
    path.write_text(json.dumps(document))
    folder = _newest(run)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["metadata"]["model"] = document
    sign(folder, manifest)
    return run


def write_model(run, text):
    """Makes model.json any text, and the only one to say what the model is."""
    (run / "model.json").write_text(text)
    folder = _newest(run)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["metadata"]["model"]
    sign(folder, manifest)


def _newest(run):
    return max((run / "checkpoints").glob("step-*"))


def sign(folder, manifest):
    """Writes a manifest whose own hash is right, as a stranger can."""
    content = {k: v for k, v in manifest.items() if k != "sha256"}
    text = json.dumps(content, sort_keys=True)
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text)


def traverse(run):
    """Lists a file outside of the run in the manifest of a checkpoint."""
    outside = run.parent / "outside"
    outside.write_text("outside")
    folder = _newest(run)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../../../outside"] = {
        "bytes": outside.stat().st_size,
        "sha256": hashlib.sha256(outside.read_bytes()).hexdigest(),
    }
    sign(folder, manifest)
    return run


def link_checkpoint(run):
    """Makes the weights of a checkpoint a link to a file elsewhere."""
    path = _newest(run) / "state.data-00000-of-00001"
    elsewhere = run.parent / f"{run.name}_elsewhere"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)
    return run


def link_file(run, name, target: pathlib.Path):
    """Makes a file of a run a link to one elsewhere."""
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(target)
    return run
