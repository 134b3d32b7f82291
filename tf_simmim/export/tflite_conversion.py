"""Graphs of TensorFlow Lite: what a network answers, in types of all sizes.

Dimension key:
  B: batch   H W: model input, px   C: channels   D: num_features   L: classes
"""

import warnings

import numpy as np
import tensorflow as tf

from tf_simmim import models
from tf_simmim.export import native_messages

# What weights are stored in, and what they are multiplied with.
KINDS = ("float32", "float16", "int8", "full_int8")
OUTPUTS = ("features", "logits")
INPUT_TYPES = ("float32", "int8")
# Norms, softmaxes and sums. In 8 bits they cost more exactness than all
# matrix products together, and more time than they save: the demo's classifier
# has KL 0.0019 and 1.2 ms with them in int8, and 0.0010 and 0.5 ms without.
_IN_FLOAT = ["ADD", "MEAN", "MUL", "RSQRT", "SOFTMAX", "SQUARED_DIFFERENCE"]
_IN_FLOAT += ["SUB"]


def graph(signatures, output="features", batch_size=1):
    """Returns the graph of pixels to an answer, of a fixed size of batch.

    Args:
        signatures: `Signatures` of a model in float32, in eager mode.
        output: str of `OUTPUTS`. `features` float32 [B, D], as of
            `Signatures.features_from_pixels`; `logits` float32, of a
            classifier [B, L], of a segmenter [B, H, W, L].
        batch_size: int > 0, B. Only graphs of fixed shapes run on the fast
            kernels (XNNPACK).

    Returns:
        concrete function of `pixels`, float32 [B, H, W, C] on the 0..255
        scale, to a dict with `output`.

    Raises:
        ValueError: the model gives no such output, computes in 16 bits, or
            `batch_size` is not positive.
    """
    require_possible(signatures.model, output)
    if batch_size < 1:
        raise ValueError(
            f"`batch_size` must be positive. Received: {batch_size}."
        )
    model, preprocessing = signatures.model, signatures.preprocessing

    def logits(pixels):
        images = preprocessing.normalize(pixels)
        return {"logits": model(images, training=False)}

    function = signatures.features_from_pixels
    if output == "logits":
        function = logits
    (spec,) = signatures.input_specs("features_from_pixels")
    shape = [batch_size, *spec.shape[1:]]
    return tf.function(
        function,
        input_signature=[tf.TensorSpec(shape, spec.dtype, name=spec.name)],
        autograph=False,
    ).get_concrete_function()


def require_possible(model, output="features") -> None:
    """Raises unless TensorFlow Lite can have a model's graph.

    Raises:
        ValueError: the model gives no such output, or computes in 16 bits.
    """
    if output not in OUTPUTS:
        raise ValueError(
            f"`output` must be one of {OUTPUTS}. Received: {output!r}."
        )
    has_logits = models.Classifier | models.Segmenter
    if output == "logits" and not isinstance(model, has_logits):
        raise ValueError(
            "`output` can be logits of a classifier or a segmenter only. "
            f"Received: a {type(model).__name__}."
        )
    precision = tf.as_dtype(model.backbone.compute_dtype).name
    if precision != "float32":
        raise ValueError(
            "`tflite` needs a model that computes in float32: TensorFlow Lite "
            f"makes its own smaller types. Received: {precision}."
        )


def convert(function, kind, *, calibration=None, input_type="float32") -> bytes:
    """Returns a graph as a file of TensorFlow Lite.

    - float32: the weights as they are;
    - float16: weights stored in 16 bits, computed with in 32;
    - int8: weights of matrix products with 1024 numbers or more in 8 bits,
      with one scale for each output, and multiplied in 8 bits with activations
      that are scaled by their range in each call ("dynamic range");
    - full_int8: the same weights, and activations scaled by the range that
      they have over `calibration`, so that no call has to find it. Norms,
      softmaxes and sums stay in float32. With `input_type` int8 these are in
      8 bits too, for processors that have nothing else, where TensorFlow Lite
      has such kernels.

    All answers are float32.

    Args:
        function: what `graph` returned.
        kind: str of `KINDS`.
        calibration: float32 [N, H, W, C], 0..255; of full_int8, or None.
            Images like those that the network will see, a hundred or more.
        input_type: str of `INPUT_TYPES`: of `pixels`. int8 is for full_int8
            only; scale and zero point are in the file.

    Returns:
        bytes.

    Raises:
        ValueError: an argument is none of these, full_int8 has no
            `calibration`, or `calibration` is of another shape.
    """
    require_types(kind, input_type)
    with native_messages.withheld():
        return _convert(function, kind, calibration, input_type)


def require_types(kind, input_type) -> None:
    """Raises unless files are made of these types; see `convert`.

    Raises:
        ValueError: one is unknown, or they do not go together.
    """
    _require(kind in KINDS, f"`kind` must be one of {KINDS}", kind)
    _require(
        input_type in INPUT_TYPES,
        f"`input_type` must be one of {INPUT_TYPES}",
        input_type,
    )
    _require(
        input_type == "float32" or kind == "full_int8",
        "`input_type` must be float32 for all kinds but full_int8",
        f"{input_type} for {kind}",
    )


def _convert(function, kind, calibration, input_type):
    module = tf.Module()
    module.weights = list(function.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function], module
    )
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind != "full_int8":
        return converter.convert()
    batches = _batches(function, calibration)
    converter.representative_dataset = lambda: ([batch] for batch in batches)
    if input_type == "int8":
        converter.inference_input_type = tf.int8
        return converter.convert()
    options = tf.lite.experimental.QuantizationDebugOptions(
        denylisted_ops=_IN_FLOAT
    )
    # The only public way to keep operations in float.
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_options=options
    )
    return debugger.get_nondebug_quantized_model()


class Runner:
    """Runs a file that `convert` has made.

    Args:
        content: bytes of the file.
        num_threads: int > 0.

    Call arguments:
        pixels: float32 [N, H, W, C], 0..255; taken in batches of the size
            that the file has.

    Returns:
        float32 [N, ...], what the file answers.

    Raises:
        ValueError: it is no such file.
    """

    def __init__(self, content, num_threads=1):
        with warnings.catch_warnings():
            # From 2.20 on, TensorFlow says that it moves to another package.
            warnings.filterwarnings(
                "ignore", r"\s*Warning: tf.lite.Interpreter"
            )
            # A signature's runner does not keep it alive.
            self._interpreter = tf.lite.Interpreter(
                model_content=content, num_threads=num_threads
            )
        self._runner = self._interpreter.get_signature_runner()
        (self._input,) = self._runner.get_input_details().values()
        self.batch_size = int(self._input["shape"][0])

    def __call__(self, pixels):
        count = len(pixels)
        padding = [(0, -count % self.batch_size)] + [(0, 0)] * 3
        padded = self.as_input(np.pad(pixels, padding))
        rows = [
            self.run(padded[i : i + self.batch_size])
            for i in range(0, len(padded), self.batch_size)
        ]
        return np.concatenate(rows)[:count]

    def as_input(self, pixels):
        """Returns pixels in the type of the file's input."""
        if self._input["dtype"] == np.float32:
            return np.asarray(pixels, np.float32)
        scale, zero = self._input["quantization"]
        rounded = np.round(pixels / scale) + zero
        return np.clip(rounded, -128, 127).astype(np.int8)

    def run(self, batch):
        """Returns the answer for one batch of what `as_input` gave."""
        (answer,) = self._runner(pixels=batch).values()
        return answer


def _batches(function, calibration):
    """Returns images for calibration in whole batches."""
    _, named = function.structured_input_signature
    (spec,) = named.values() if named else function.inputs[:1]
    shape = spec.shape.as_list()
    _require(
        calibration is not None
        and np.ndim(calibration) == 4
        and list(np.shape(calibration)[1:]) == shape[1:]
        and len(calibration) > 0,
        f"`calibration` must be images [N, {', '.join(map(str, shape[1:]))}] "
        "for full_int8",
        None if calibration is None else np.shape(calibration),
    )
    # The last batch is filled up with the first images.
    images = np.resize(
        np.asarray(calibration, np.float32),
        [-(-len(calibration) // shape[0]) * shape[0], *shape[1:]],
    )
    _require(np.all(np.isfinite(images)), "`calibration` must be finite", "NaN")
    return images.reshape([-1, *shape])


def _require(is_right, rule, received):
    if not is_right:
        raise ValueError(f"{rule}. Received: {received}.")
