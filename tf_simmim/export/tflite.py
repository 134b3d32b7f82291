"""Features on small devices: TensorFlow Lite, in three sizes.

Dimension key:
  B: pictures   H W: model input, px   C: channels   D: num_features
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_simmim.export import sample_images
from tf_simmim.export.check import Check

# What weights are stored in.
KINDS = ("float32", "float16", "int8")
FOLDER = "tflite"
_NUM_PICTURES = 4
# Kernels for another processor round otherwise: a code of int8 may be one off.
_SLACK = 2.0
_ROUNDING = 1e-5


def write(folder, signatures) -> dict:
    """Writes `tflite/features_<kind>.tflite`: pixels of an image to features.

    TensorFlow Lite has no operations that decode image files, so that the
    device does: `pixels` is float32 [1, H, W, C] on the 0..255 scale, cropped
    and resized as `Preprocessing.decode` does; normalising is inside.
    `features` is float32 [1, D]: what `features_from_pixels` gives. One image
    at a time, since only graphs of fixed shapes run on the fast kernels
    (XNNPACK).

    All are of TensorFlow Lite's own operations, none of "Flex":

    - float32: the weights as they are;
    - float16: weights stored in 16 bits, computed with in 32;
    - int8: weights of matrix products with 1024 numbers or more stored in 8
      bits, with one scale for each output, and multiplied in 8 bits with
      activations that are scaled by their range in each call ("dynamic
      range"). No data is needed for it.

    Each file is run by the interpreter on four pictures, always the same, and
    compared with the model in eager mode.

    Args:
        folder: path of the export, there already.
        signatures: `Signatures` of a model in float32, in eager mode.

    Returns:
        JSON-able dict {kind: dict}, with `file`, its path in the export;
        `bytes`; `difference`, the largest difference of a feature, as a
        fraction of the largest feature; and `cosine`, the least similarity of
        the features of a picture, 1 for the same direction.

    Raises:
        ValueError: the model computes in 16 bits.
    """
    require_float32(signatures.model)
    (Path(folder) / FOLDER).mkdir()
    function = _function(signatures)
    pixels = pictures(signatures.preprocessing)
    want = signatures.features_from_pixels(tf.constant(pixels))["features"]
    described = {}
    for kind in KINDS:
        name = f"{FOLDER}/features_{kind}.tflite"
        content = _convert(function, kind)
        (Path(folder) / name).write_bytes(content)
        difference, cosine = _compare(run(content, pixels), want.numpy())
        described[kind] = {
            "file": name,
            "bytes": len(content),
            "difference": difference,
            "cosine": cosine,
        }
    return described


def run(content: bytes, pixels) -> np.ndarray:
    """Returns the features that a file of `write` gives.

    Args:
        content: bytes of the file.
        pixels: float32 [B, H, W, C], 0..255; taken one by one.

    Returns:
        float32 [B, D].

    Raises:
        ValueError: it is no such file.
    """
    runner = tf.lite.Interpreter(model_content=content).get_signature_runner()
    rows = [runner(pixels=image[np.newaxis])["features"] for image in pixels]
    return np.concatenate(rows)


def checks(folder, content: dict, pixels, want):
    """Runs the files of an export once more.

    Args:
        folder: path of the export.
        content: dict, its manifest.
        pixels: float32 [B, H, W, C], 0..255.
        want: float32 [B, D]. The features in eager mode.

    Yields:
        `Check`, one a file: whether it is as near to eager mode as the
        manifest says, to twice that and 1e-5.
    """
    for kind, described in content.get("tflite", {}).items():
        title = f"TensorFlow Lite, {kind}"
        try:
            got = run((Path(folder) / described["file"]).read_bytes(), pixels)
            difference, _ = _compare(got, want)
            allowed = _SLACK * described["difference"] + _ROUNDING
        except (OSError, ValueError, LookupError, TypeError) as error:
            yield Check(title, (" ".join(str(error).split())[:500],))
            continue
        text = f"{difference:.1e} of the largest feature from eager mode"
        is_near = difference <= allowed  # nor NaN
        yield Check(
            title, () if is_near else (f"{text}, over {allowed:.1e}",), text
        )


def pictures(preprocessing) -> np.ndarray:
    """Returns what the files are measured with, float32 [4, H, W, C]."""
    shape = preprocessing.image_size, preprocessing.channels
    return np.stack(
        [
            sample_images.sample_pixels(*shape, number)
            for number in range(_NUM_PICTURES)
        ]
    ).astype(np.float32)


def require_float32(model) -> None:
    """Raises unless TensorFlow Lite can have a model's graph.

    Raises:
        ValueError: the model computes in 16 bits.
    """
    precision = tf.as_dtype(model.backbone.compute_dtype).name
    if precision != "float32":
        raise ValueError(
            "`tflite` needs a model that computes in float32: TensorFlow Lite "
            f"makes its own smaller types. Received: {precision}."
        )


def _function(signatures):
    (spec,) = signatures.input_specs("features_from_pixels")
    return tf.function(
        signatures.features_from_pixels,
        input_signature=[
            tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name=spec.name)
        ],
        autograph=False,
    ).get_concrete_function()


def _convert(function, kind):
    module = tf.Module()
    module.weights = list(function.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function], module
    )
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _compare(got, want):
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(want, axis=1)
    cosine = np.sum(got * want, axis=1) / np.maximum(norms, 1e-30)
    largest = max(float(np.max(np.abs(want))), 1e-30)
    return float(np.max(np.abs(got - want))) / largest, float(np.min(cosine))
