"""Files of TensorFlow Lite in an export: answers on small devices.

Dimension key:
  B: pictures   H W: model input, px   C: channels   D: num_features
  L: classes
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_simmim.compression import latency
from tf_simmim.export import sample_images
from tf_simmim.export import tflite_conversion
from tf_simmim.export.check import Check
from tf_simmim.export.tflite_options import TFLiteOptions

FOLDER = "tflite"
_NUM_PICTURES = 4
_NUM_RUNS = 20
# Of the images for calibration, those that differences are measured on.
_NUM_CALIBRATION = 64
# Kernels for another processor round otherwise: a code of int8 may be one off.
_SLACK = 2.0
_ROUNDING = 1e-5


def write(folder, signatures, options=None) -> dict:
    """Writes `tflite/<output>_<kind>.tflite`: pixels of an image to an answer.

    TensorFlow Lite has no operations that decode image files, so that the
    device does: `pixels` is float32 [B, H, W, C] on the 0..255 scale, cropped
    and resized as `Preprocessing.decode` does; normalising is inside.
    `features` is float32 [B, D]: what `features_from_pixels` gives; `logits`
    is float32 [B, L], of a segmenter [B, H, W, L]. The kinds are those of
    `tflite_conversion.convert`. B is fixed.

    All are of TensorFlow Lite's own operations, none of "Flex".

    Each file is run by the interpreter on four pictures, always the same, and
    compared with the model in eager mode; then all of one output are timed in
    turn, with one thread.

    Args:
        folder: path of the export, there already.
        signatures: `Signatures` of a model in float32, in eager mode.
        options: `TFLiteOptions`, or None for its defaults.

    Returns:
        JSON-able dict of a dict for each file; its key is the kind for
        features, and `<output>_<kind>` for others. It has `file`, its path in
        the export; `output`; `kind`; `batch_size`; `input_type`; `bytes`;
        `difference`, the largest difference of a number of the answer, as a
        fraction of the largest number; `cosine`, the least similarity of the
        answers for a picture, 1 for the same direction; `milliseconds`, the
        median time of a batch; and of full_int8
        `calibration_difference` and `calibration_cosine`, the same on images
        for calibration.

    Raises:
        ValueError: the model computes in 16 bits, or gives no such output.
    """
    options = options or TFLiteOptions()
    for output in options.outputs:
        tflite_conversion.require_possible(signatures.model, output)
    (Path(folder) / FOLDER).mkdir()
    described = {}
    for output in options.outputs:
        described |= _write_output(Path(folder), signatures, output, options)
    return described


def _write_output(folder, signatures, output, options):
    function = tflite_conversion.graph(signatures, output, options.batch_size)
    pixels = pictures(signatures.preprocessing)
    described, timed = {}, []
    for kind in options.kinds:
        input_type = options.input_type if kind == "full_int8" else "float32"
        name = f"{FOLDER}/{output}_{kind}.tflite"
        content = tflite_conversion.convert(
            function,
            kind,
            calibration=options.calibration,
            input_type=input_type,
        )
        (folder / name).write_bytes(content)
        runner = tflite_conversion.Runner(content)
        batch = runner.as_input(np.resize(pixels, function.inputs[0].shape))
        timed.append(lambda run=runner.run, batch=batch: run(batch))
        difference, cosine = _distance(runner, function, pixels)
        told = {
            "file": name,
            "output": output,
            "kind": kind,
            "batch_size": options.batch_size,
            "input_type": input_type,
            "bytes": len(content),
            "difference": difference,
            "cosine": cosine,
        }
        if kind == "full_int8":
            images = options.calibration[:_NUM_CALIBRATION]
            difference, cosine = _distance(runner, function, images)
            told["calibration_difference"] = difference
            told["calibration_cosine"] = cosine
        described[kind if output == "features" else f"{output}_{kind}"] = told
    times = latency.interleaved(timed, options.batch_size, _NUM_RUNS)
    for told, time in zip(described.values(), times, strict=True):
        told["milliseconds"] = time.median_ms
    return described


def _distance(runner, function, pixels):
    """Returns how far a file's answers are from those of its graph."""
    want = []
    for i in range(0, len(pixels), runner.batch_size):
        batch = pixels[i : i + runner.batch_size]
        whole = np.resize(batch, function.inputs[0].shape)
        (answer,) = function(tf.constant(whole, tf.float32)).values()
        want.append(answer.numpy()[: len(batch)])
    return _compare(runner(pixels), np.concatenate(want))


def run(content: bytes, pixels) -> np.ndarray:
    """Returns the answers that a file of `write` gives.

    Args:
        content: bytes of the file.
        pixels: float32 [B, H, W, C], 0..255; taken in batches of its size.

    Returns:
        float32 [B, ...].

    Raises:
        ValueError: it is no such file.
    """
    return tflite_conversion.Runner(content)(pixels)


def checks(folder, content: dict, pixels, want):
    """Runs the files of an export once more.

    Args:
        folder: path of the export.
        content: dict, its manifest.
        pixels: float32 [B, H, W, C], 0..255.
        want: float32 [B, D]. The features in eager mode.

    Yields:
        `Check`, one a file: whether its features are as near to eager mode as
        the manifest says, to twice that and 1e-5; of other outputs whether
        they are finite.
    """
    for name, described in content.get("tflite", {}).items():
        title = f"TensorFlow Lite, {name}"
        try:
            got = run((Path(folder) / described["file"]).read_bytes(), pixels)
            if described.get("output", "features") != "features":
                yield _finite_check(title, got)
                continue
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


def _finite_check(title, got):
    if np.all(np.isfinite(got)):
        return Check(title, detail=f"{got.shape[1:]} finite numbers an image")
    return Check(title, ("its answer is not finite",))


def _compare(got, want):
    got, want = (each.reshape(len(each), -1) for each in (got, want))
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(want, axis=1)
    cosine = np.sum(got * want, axis=1) / np.maximum(norms, 1e-30)
    largest = max(float(np.max(np.abs(want))), 1e-30)
    return float(np.max(np.abs(got - want))) / largest, float(np.min(cosine))
