"""A small SavedModel with the signatures of an export, for clients.

It is made in a second, and what it answers is worked out by hand: features
are the mean colour of an image.
"""

import pathlib

import numpy as np
import tensorflow as tf

H, W, P = 4, 6, 2
GRID = (H // P, W // P)
NAMES = ("owl", "ibis")


def write(folder) -> pathlib.Path:
    """Writes version 1 of the model below a folder, and returns the folder."""
    functions = {
        name: tf.function(function, input_signature=specs, autograph=False)
        for name, (function, specs) in _functions().items()
    }
    module = tf.Module()
    module.functions = functions
    signatures = {**functions, "serving_default": functions["features"]}
    path = pathlib.Path(folder) / "1"
    tf.saved_model.save(module, str(path), signatures=signatures)
    return pathlib.Path(folder)


def write_features(folder, channels: int) -> None:
    """Writes version 1 of a model of so many channels, with features alone."""
    files = tf.TensorSpec([None], tf.string, "image_bytes")
    pixels = tf.TensorSpec([None, H, W, channels], tf.float32, "pixels")
    of_files, of_pixels, *_ = _functions().values()
    module = tf.Module()
    module.functions = {
        "features": tf.function(of_files[0], [files], autograph=False),
        "features_from_pixels": tf.function(
            of_pixels[0], [pixels], autograph=False
        ),
    }
    path = pathlib.Path(folder) / "1"
    tf.saved_model.save(module, str(path), signatures=module.functions)


def _functions():
    files = tf.TensorSpec([None], tf.string, "image_bytes")
    mask = tf.TensorSpec([None, *GRID], tf.int32, "patch_mask")
    pixels = tf.TensorSpec([None, H, W, 3], tf.float32, "pixels")
    return {
        "features": (
            lambda image_bytes: {"features": _mean(image_bytes)},
            [files],
        ),
        "features_from_pixels": (
            lambda pixels: {"features": tf.reduce_mean(pixels, [1, 2])},
            [pixels],
        ),
        "features_tokens": (
            lambda image_bytes: {
                "tokens": tf.tile(_mean(image_bytes)[:, None], [1, 5, 1])
            },
            [files],
        ),
        "reconstruct": (_reconstruct, [files, mask]),
        "reconstruct_random": (
            _reconstruct_random,
            [files, tf.TensorSpec([None], tf.int64, "seed")],
        ),
        "reconstruct_png": (
            lambda image_bytes, patch_mask: {
                "masked_png_bytes": image_bytes,
                "reconstruction_png_bytes": image_bytes + "\0",
            },
            [files, mask],
        ),
        "predict": (_predict, [files]),
        "classify": (
            _classify,
            [tf.TensorSpec([None], tf.string, "inputs")],
        ),
    }


def _mean(image_bytes):
    def mean_of_one(file):
        image = tf.io.decode_image(file, 3, expand_animations=False)
        return tf.reduce_mean(tf.cast(image, tf.float32), [0, 1])

    return tf.map_fn(
        mean_of_one,
        image_bytes,
        fn_output_signature=tf.TensorSpec([3], tf.float32),
    )  # [B, 3]


def _reconstruct(image_bytes, patch_mask):
    hidden = tf.reduce_mean(tf.cast(patch_mask, tf.float32), [1, 2])
    image = tf.tile(_mean(image_bytes)[:, None, None], [1, H, W, 1])
    return {"reconstruction": image, "masked_l1": hidden}


def _reconstruct_random(image_bytes, seed):
    seed = tf.cast(seed, tf.int32)[:, None, None]
    mask = tf.tile(seed, [1, *GRID])
    return {**_reconstruct(image_bytes, mask), "patch_mask": mask}


def _predict(image_bytes):
    probabilities = _mean(image_bytes)[:, :2] / 255.0
    label = tf.argmax(probabilities, 1)
    return {
        "probabilities": probabilities,
        "label": label,
        "class_name": tf.gather(tf.constant(NAMES), label),
    }


def _classify(inputs):
    features = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
    files = tf.io.parse_example(inputs, features)["image/encoded"]
    scores = tf.sort(_mean(files)[:, :2] / 255.0, direction="DESCENDING")
    order = tf.argsort(_mean(files)[:, :2], direction="DESCENDING")
    return {"classes": tf.gather(tf.constant(NAMES), order), "scores": scores}


def picture(seed: int, height=5, width=7) -> np.ndarray:
    """Returns uint8 [height, width, 3], random."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, [height, width, 3], np.uint8)
