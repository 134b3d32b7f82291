"""A network under TensorFlow Lite, as `compression.report` measures it."""

import functools

import numpy as np

from tf_simmim.compression import network
from tf_simmim.export import tflite_conversion

RUNTIME = "TensorFlow Lite"


def create(
    signatures,
    kind,
    *,
    calibration=None,
    input_type="float32",
    num_threads=1,
) -> tuple[network.Network, bytes]:
    """Returns what there is to measure of a model in a file, and the file.

    A classifier and a segmenter answer with logits, others with features; the
    bytes are those of the file for one image. It is converted once for each
    size of batch that is asked for.

    Args:
        signatures: `Signatures` of a model in float32, in eager mode.
        kind: str of `tflite_conversion.KINDS`.
        calibration: as of `tflite_conversion.convert`.
        input_type: as of `tflite_conversion.convert`.
        num_threads: int > 0.

    Returns:
        (`compression.network.Network`, without a folder; bytes of the file
        for one image).

    Raises:
        ValueError: as `tflite_conversion.graph` and `convert`.
    """
    model, preprocessing = signatures.model, signatures.preprocessing
    output = output_of(model)

    @functools.cache
    def content_of(batch_size):
        function = tflite_conversion.graph(signatures, output, batch_size)
        return tflite_conversion.convert(
            function, kind, calibration=calibration, input_type=input_type
        )

    @functools.cache
    def runner_of(batch_size):
        return tflite_conversion.Runner(content_of(batch_size), num_threads)

    def pixels_of(images):
        return np.asarray(preprocessing.to_pixels(images), np.float32)

    def forward(images):
        runner = runner_of(len(images))
        batch = runner.as_input(pixels_of(images))
        return lambda: runner.run(batch)

    plan = network.plan_of(model)
    weights = network.weights_of(model)
    found = network.Network(
        runtime=RUNTIME,
        num_threads=num_threads,
        num_weights=sum(int(np.prod(weight.shape)) for weight in weights),
        flops=plan.flops,
        num_bytes=len(content_of(1)),
        shapes=plan.shapes,
        outputs=lambda images: {output: runner_of(1)(pixels_of(images))},
        forward=forward,
    )
    return found, content_of(1)


def output_of(model) -> str:
    """Returns what a model's file answers with: logits, or else features."""
    try:
        tflite_conversion.require_possible(model, "logits")
    except ValueError:
        return "features"
    return "logits"
