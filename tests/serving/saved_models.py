"""Small SavedModels to serve, each signature of which does one thing.

`write(folder)` makes two models: `half_plus_two` with versions 123 (x/2 + 2)
and 124 (x/2 + 3), and `kinds`, version 1, with a signature for each rule of
the contract.
"""

import pathlib

import numpy as np
import tensorflow as tf

ECHOED = (
    *("bool", "string", "float16", "float32", "float64"),
    *("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64"),
)


def write(folder):
    """Writes both models below a folder, and returns it as a path."""
    folder = pathlib.Path(folder)
    for version, shift in ((123, 2.0), (124, 3.0)):
        write_half_plus(folder / f"half_plus_two/{version:08d}", shift)
    write_kinds(folder / "kinds/1")
    return folder


def write_half_plus(path, shift, jit_compile=False):
    """Writes a version of `y = x / 2 + shift`."""
    module = tf.Module()
    module.half = tf.Variable(0.5)
    module.shift = tf.Variable(shift)

    def half_plus(x):
        return module.half * x + module.shift

    @tf.function(
        input_signature=[tf.TensorSpec(None, tf.float32, name="x")],
        jit_compile=jit_compile,
    )
    def predict(x):
        return {"y": half_plus(x)}

    @tf.function(input_signature=[_examples()])
    def regress(inputs):
        return {"outputs": half_plus(_parse(inputs))}

    @tf.function(input_signature=[_examples()])
    def classify(inputs):
        return {"scores": half_plus(_parse(inputs))}

    tf.saved_model.save(
        module,
        str(path),
        signatures={
            "serving_default": predict,
            "regress_x_to_y": regress,
            "classify_x_to_y": classify,
        },
    )


def write_kinds(path):
    """Writes the model of which each signature shows one rule."""
    signatures = {
        f"echo_{name}": _function(
            lambda x: {"y": tf.identity(x)}, x=tf.TensorSpec(None, name)
        )
        for name in ECHOED
    }
    vector = tf.TensorSpec([None], tf.float32)
    signatures |= {
        "two": _function(
            lambda a, b: {
                "sum": tf.cast(a, tf.float32)[:, tf.newaxis] + b,
                "twice": 2 * a,
            },
            a=tf.TensorSpec([None], tf.int32),
            b=tf.TensorSpec([None, 2], tf.float32),
        ),
        "text": _function(
            lambda text: {"text": text + "!", "text_bytes": text},
            text=tf.TensorSpec([None], tf.string),
        ),
        "binary": _function(
            lambda image_bytes: {"copy_bytes": tf.identity(image_bytes)},
            image_bytes=tf.TensorSpec([None], tf.string),
        ),
        "total": _function(lambda x: {"y": tf.reduce_sum(x)}, x=vector),
        "unequal": _function(lambda x: {"a": 2 * x, "b": x[1:]}, x=vector),
        "over_zero": _function(lambda x: {"y": x / 0.0}, x=vector),
        "half": _function(lambda x: {"y": tf.cast(x, tf.float16)}, x=vector),
        "fifth": _function(lambda x: {"y": x / 5.0}, x=vector),
        "complex": _function(
            lambda x: {"y": tf.cast(x, tf.complex64)}, x=vector
        ),
        "png": _function(
            lambda image_bytes: {
                "pixels": tf.map_fn(
                    lambda file: tf.io.decode_png(file, channels=3),
                    image_bytes,
                    fn_output_signature=tf.uint8,
                )
            },
            image_bytes=tf.TensorSpec([None], tf.string),
        ),
        "slow": _function(_slow, steps=tf.TensorSpec([None], tf.int32)),
        "classify_names": _function(
            lambda inputs: {
                "classes": tf.tile([["cat", "dog"]], [tf.size(inputs), 1]),
                "scores": tf.concat([_parse(inputs), -_parse(inputs)], 1),
            },
            inputs=_examples(),
        ),
        "classify_flat": _function(
            lambda inputs: {"scores": _parse(inputs)[:, 0]}, inputs=_examples()
        ),
        "classify_numbers": _function(
            lambda inputs: {"classes": _parse(inputs)}, inputs=_examples()
        ),
        "regress_pairs": _function(
            lambda inputs: {"outputs": tf.tile(_parse(inputs), [1, 2])},
            inputs=_examples(),
        ),
    }
    module = tf.Module()
    module.functions = signatures
    tf.saved_model.save(module, str(path), signatures=signatures)


def png():
    """Returns the bytes of a picture of 2 x 3 pixels, and those pixels."""
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    return tf.io.encode_png(pixels).numpy(), pixels


def _examples():
    return tf.TensorSpec([None], tf.string, name="inputs")


def _parse(inputs):
    features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
    return tf.io.parse_example(inputs, features)["x"]  # [B, 1]


def _slow(steps):
    # Operations that a session can stop between.
    _, y = tf.while_loop(
        lambda i, y: i < steps[0],
        lambda i, y: (i + 1, tf.sin(y)),
        [0, tf.zeros([100])],
    )
    return {"y": y[tf.newaxis] + tf.zeros([tf.size(steps), 1])}


def _function(function, **specs):
    specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name=name)
        for name, spec in specs.items()
    ]
    return tf.function(function, input_signature=specs, autograph=False)
