"""TensorFlow Serving's rules for predict, classify and regress.

They hold for every way in: REST and gRPC call these functions.
"""

import numpy as np

from serving import errors
from serving import text_for_bytes

DEFAULT_SIGNATURE = "serving_default"


def predict(engine, signature_name, inputs, output_filter=()):
    """Runs a signature on tensors.

    Args:
        engine: `SavedModelEngine`.
        signature_name: str; "" is the default signature.
        inputs: {alias: array}.
        output_filter: sequence of str. Outputs to return; empty for all.

    Returns:
        {alias: array}.

    Raises:
        ServingError: there is no such signature (FAILED_PRECONDITION), inputs
            are missing or too many, an output is unknown or named twice
            (INVALID_ARGUMENT), or the run failed.
    """
    name = signature_name or DEFAULT_SIGNATURE
    signature = engine.signatures.get(name)
    if signature is None:
        raise errors.ServingError(
            "FAILED_PRECONDITION", f'Serving signature key "{name}" not found.'
        )
    if set(inputs) != set(signature.inputs):
        sent, needed = set(inputs), set(signature.inputs)
        raise errors.invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(needed)} "
            f"len({{{_join(sent)}}}) != len({{{_join(needed)}}}). "
            f"Sent extra: {{{_join(sent - needed)}}}. "
            f"Missing but required: {{{_join(needed - sent)}}}."
        )
    seen = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise errors.invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs "
                f"expected to be in the set {{{_join(signature.outputs)}}}."
            )
        if alias in seen:
            raise errors.invalid_argument(
                f"duplicate output tensor alias: {alias}"
            )
        seen.add(alias)
    outputs = _run(engine, name, inputs)
    return {alias: outputs[alias] for alias in output_filter or outputs}


def classify(engine, signature_name, examples):
    """Runs a signature that sorts examples into classes.

    Args:
        engine: `SavedModelEngine`.
        signature_name: str; "" is the default signature.
        examples: list of bytes, at least one. Serialized `tf.train.Example`s.

    Returns:
        list, one entry an example: [(label as bytes, score as float32), ...].
        A label that the signature does not give is b"", a score 0.

    Raises:
        ServingError: there is no such signature, it is none for classifying,
            its outputs have other shapes or types (INVALID_ARGUMENT), or the
            run failed.
    """
    signature = _signature(engine, signature_name)
    if len(signature.inputs) != 1:
        raise errors.invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise errors.invalid_argument(
            "Expected one or two output Tensors, found ", len(signature.outputs)
        )
    if "inputs" not in signature.inputs:
        raise errors.invalid_argument(
            "No classification inputs found in SignatureDef: ", signature
        )
    aliases = [a for a in ("classes", "scores") if a in signature.outputs]
    if not aliases:
        raise errors.invalid_argument(
            "Expected classification signature outputs to contain at least "
            'one of "classes" or "scores". Signature was: ',
            signature,
        )
    outputs = _run_examples(engine, signature_name, examples)
    outputs = {alias: outputs[alias] for alias in aliases}
    for alias, dtype in (("classes", "DT_STRING"), ("scores", "DT_FLOAT")):
        if alias in outputs:
            _check_classes(alias, outputs[alias], dtype, len(examples))
    classes, scores = outputs.get("classes"), outputs.get("scores")
    if classes is None:
        classes = np.full(scores.shape, b"", dtype=object)
    if scores is None:
        scores = np.zeros(classes.shape, np.float32)
    if classes.shape != scores.shape:
        raise errors.invalid_argument(
            "Tensors class and score should match in dim_size(1). Got ",
            f"{classes.shape[1]} vs. {scores.shape[1]}",
        )
    return [
        list(zip(labels, numbers, strict=True))
        for labels, numbers in zip(classes, scores, strict=True)
    ]


def regress(engine, signature_name, examples):
    """Runs a signature that gives a number for each example.

    Args:
        engine: `SavedModelEngine`.
        signature_name: str; "" is the default signature.
        examples: list of bytes, at least one. Serialized `tf.train.Example`s.

    Returns:
        float32 array [number of examples].

    Raises:
        ServingError: there is no such signature, it is none for regression,
            its output has another shape or type (INVALID_ARGUMENT), or the
            run failed.
    """
    signature = _signature(engine, signature_name)
    if len(signature.inputs) != 1:
        raise errors.invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise errors.invalid_argument("Expected one output Tensor.")
    for alias, kind in (("inputs", "inputs"), ("outputs", "outputs")):
        if alias not in getattr(signature, kind):
            raise errors.invalid_argument(
                f"No regression {kind} found in SignatureDef: ", signature
            )
    output = _run_examples(engine, signature_name, examples)["outputs"]
    if output.ndim != 1 and (output.ndim != 2 or output.shape[1] != 1):
        raise errors.invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or "
            f"[batch_size, 1] but got {_shape(output)}"
        )
    if output.shape[0] != len(examples):
        raise errors.invalid_argument(
            "Input batch size did not match output batch size: "
            f"{len(examples)} vs. {output.shape[0]}"
        )
    if output.dtype != np.float32:
        raise errors.invalid_argument(
            "Expected output Tensor of DT_FLOAT.  Got: ", _dtype_name(output)
        )
    return output.reshape(-1)


def _signature(engine, name):
    name = name or DEFAULT_SIGNATURE
    if name not in engine.signatures:
        raise errors.invalid_argument(
            "No signature was found with the name: ", name
        )
    return engine.signatures[name]


def _run_examples(engine, signature_name, examples):
    serialized = np.empty(len(examples), dtype=object)
    serialized[:] = examples
    name = signature_name or DEFAULT_SIGNATURE
    return _run(engine, name, {"inputs": serialized})


def _run(engine, name, inputs):
    with text_for_bytes.explained(inputs):
        return engine.run(name, inputs)


def _check_classes(alias, output, dtype, num_examples):
    if output.ndim != 2:
        raise errors.invalid_argument(
            "Expected Tensor shape: [batch_size num_classes] but got ",
            _shape(output),
        )
    if _dtype_name(output) != dtype:
        raise errors.invalid_argument(
            f"Expected {alias} Tensor of {dtype}. Got: {_dtype_name(output)}"
        )
    if output.shape[0] != num_examples:
        raise errors.invalid_argument(
            f"Expected {alias} output batch size of {num_examples}. "
            f"Got: {output.shape[0]}"
        )


def _dtype_name(array):
    names = {"object": "STRING", "float32": "FLOAT", "float64": "DOUBLE"}
    name = array.dtype.name
    return f"DT_{names.get(name, name.upper())}"


def _shape(array):
    return f"[{','.join(map(str, array.shape))}]"


def _join(names):
    return ",".join(sorted(names))
