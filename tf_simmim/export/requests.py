"""Requests for every signature of a model, with what it answers eagerly.

Dimension key:
  B: batch   H W: model input, px   C: channels   h w: grid of model patches
"""

import numpy as np
import tensorflow as tf

from tf_simmim.export import graph_lint
from tf_simmim.export import prediction_logs
from tf_simmim.export import sample_images
from tf_simmim.export.signatures import EXAMPLE_FEATURE

_BATCH_SIZE = 2


def create_logs(signatures, batch_sizes) -> list:
    """Asks a model, in eager mode, what a server will be asked.

    Each signature once, with two images; the default one with each size of
    batch that a server makes.

    Args:
        signatures: `Signatures`, in eager mode.
        batch_sizes: list of int.

    Returns:
        list of PredictionLog, see `prediction_logs`.

    Raises:
        FloatingPointError: the model answers with numbers that are not
            finite.
    """
    default = graph_lint.DEFAULT_SIGNATURE
    logs = [
        _create_log(signatures, signatures.default, default, size)
        for size in batch_sizes
    ]
    for name in signatures.functions():
        logs.append(_create_log(signatures, name, name, _BATCH_SIZE))
    return logs


def _create_log(signatures, function, name, batch_size):
    inputs = {
        spec.name: _input(signatures, spec.name, batch_size)
        for spec in signatures.input_specs(function)
    }
    examples = inputs.get("inputs")
    if examples is not None:
        strings = [each.SerializeToString() for each in examples]
        inputs = {"inputs": np.array(strings, dtype=object)}
    tensors = {alias: tf.constant(array) for alias, array in inputs.items()}
    outputs = signatures.functions()[function](**tensors)
    outputs = {alias: tensor.numpy() for alias, tensor in outputs.items()}
    for alias, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise FloatingPointError(
                f"Not exported: {alias} of {name} is not finite."
            )
    if examples is not None:
        return prediction_logs.classify_log(name, examples, outputs)
    return prediction_logs.predict_log(name, inputs, outputs)


def _input(signatures, name, batch_size):
    """Returns a batch of an input: an array, or examples."""
    preprocessing = signatures.preprocessing
    channels = preprocessing.channels
    if name == "pixels":
        pictures = [
            sample_images.sample_pixels(
                preprocessing.image_size, channels, number
            )
            for number in range(batch_size)
        ]
        return np.stack(pictures).astype(np.float32)  # [B, H, W, C]
    if name == "seed":
        return np.arange(batch_size, dtype=np.int64)
    if name == "patch_mask":
        seeds = tf.range(batch_size, dtype=tf.int64)
        return signatures.draw_masks(seeds).numpy()  # [B, h, w]
    files = sample_images.sample_images(
        preprocessing.image_size, channels, batch_size
    )
    if name == "image_bytes":
        return np.array(files, dtype=object)
    return [_example(contents) for contents in files]


def _example(contents):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[contents]))
    features = tf.train.Features(feature={EXAMPLE_FEATURE: feature})
    return tf.train.Example(features=features)
