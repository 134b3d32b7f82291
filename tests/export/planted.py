"""SavedModels that have nothing wrong, or one thing, as TensorFlow writes them.

Small functions in the place of a network, with everything beside them that an
export has: so each fault is the only one.
"""

import pathlib

import numpy as np
import tensorflow as tf

from tf_simmim.export import batching
from tf_simmim.export import manifest
from tf_simmim.export import prediction_logs

ROWS = tf.TensorSpec([None, 3], tf.float32, name="pixels")


class Served(tf.Module):
    """Has a variable, as every model has."""

    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(2.0)

    def doubled(self, pixels):
        return {"features": self.scale * pixels}


def save(folder, function=None, more=None, spec=ROWS):
    """Saves an export whose default signature is a function of `Served`.

    Args:
        folder: path of a folder that does not exist.
        function: function (Served, tensor) -> dict; None for a good one.
        more: {name: function} of more signatures.
        spec: what all of them take.

    Returns:
        pathlib.Path of the folder.
    """
    module = Served()
    functions = {"serving_default": function or Served.doubled, **(more or {})}
    module.functions = {
        name: _bound(each, module, spec) for name, each in functions.items()
    }
    tf.saved_model.save(module, str(folder), signatures=dict(module.functions))
    folder = pathlib.Path(folder)
    logs = [log(name) for name in functions]
    prediction_logs.write(folder, logs)
    (folder / batching.FILE_NAME).write_text(batching.text(4))
    write_manifest(folder)
    return folder


def _bound(function, module, spec):
    def run(pixels):
        return function(module, pixels)

    return tf.function(run, input_signature=[spec])


def log(name, answer=None):
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    want = 2 * rows if answer is None else answer
    return prediction_logs.predict_log(
        name, {"pixels": rows}, {"features": want}
    )


def write_manifest(folder):
    """Writes the manifest of what is there now."""
    (folder / manifest.FILE_NAME).unlink(missing_ok=True)
    manifest.write(folder, {"tolerance": 1e-5})


@tf.function(jit_compile=True)
def _compiled(x):
    return tf.tanh(x)


def compiled(module, x):
    return {"features": _compiled(x) * 0.0 + module.scale * x}


def without_batch(module, x):
    return {"features": tf.reduce_mean(module.scale * x)}


def bfloat16(module, x):
    return {"features": tf.cast(module.scale * x, tf.bfloat16)}


def writing(path):
    def function(module, x):
        written = tf.io.write_file(str(path), "here")
        with tf.control_dependencies([written]):
            return {"features": module.scale * x}

    return function


def reading(module, x):
    length = tf.strings.length(tf.io.read_file("/etc/hostname"))
    return {"features": module.scale * x + tf.cast(0 * length, tf.float32)}


def printing(module, x):
    printed = tf.print("here")
    with tf.control_dependencies([printed]):
        return {"features": module.scale * x}
