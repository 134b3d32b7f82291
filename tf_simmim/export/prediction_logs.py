"""Requests with their answers, in the file that TensorFlow Serving replays.

The server sends itself the requests of `assets.extra/
tf_serving_warmup_requests` before it says that a model is there, and looks at
no answer; `verify` compares with them.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import message

MAX_RECORDS = 1000  # the server's own limit
_MODEL_NAME = "tf_simmim"  # the server reads the signature's name alone


def file_of(folder) -> Path:
    """Returns where the file is in the folder of an export."""
    return Path(folder) / "assets.extra" / "tf_serving_warmup_requests"


def require_installed() -> None:
    """Refuses to go on without the messages of TensorFlow Serving.

    Raises:
        ImportError: they are not installed.
    """
    _prediction_log()


def predict_log(signature: str, inputs: dict, outputs: dict):
    """Returns the PredictionLog of a call of a signature.

    Args:
        signature: str.
        inputs: {alias: array}.
        outputs: {alias: array}.
    """
    log = _prediction_log()()
    request, response = log.predict_log.request, log.predict_log.response
    for spec in (request.model_spec, response.model_spec):
        spec.name, spec.signature_name = _MODEL_NAME, signature
    _fill(request.inputs, inputs)
    _fill(response.outputs, outputs)
    return log


def classify_log(signature: str, examples: list, outputs: dict):
    """Returns the PredictionLog of a call of Classify.

    Args:
        signature: str.
        examples: list of `tf.train.Example`.
        outputs: {"classes": bytes [B, K], "scores": float32 [B, K]}, arrays.
    """
    log = _prediction_log()()
    request, response = log.classify_log.request, log.classify_log.response
    for spec in (request.model_spec, response.model_spec):
        spec.name, spec.signature_name = _MODEL_NAME, signature
    request.input.example_list.examples.extend(examples)
    for names, scores in zip(
        outputs["classes"], outputs["scores"], strict=True
    ):
        classification = response.result.classifications.add()
        for name, score in zip(names, scores, strict=True):
            classification.classes.add(label=name.decode(), score=float(score))
    return log


def write(folder, logs: list) -> None:
    """Writes the file into the folder of an export.

    Raises:
        ValueError: there are more than the server takes.
    """
    if len(logs) > MAX_RECORDS:
        raise ValueError(
            f"`logs` must be at most {MAX_RECORDS}, or TensorFlow Serving "
            f"refuses the model. Received: {len(logs)}."
        )
    path = file_of(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log.SerializeToString(deterministic=True))


def read(folder) -> list:
    """Returns the PredictionLogs of an export.

    Raises:
        ValueError: there is no file, it is damaged, or holds what a server
            would refuse: then it would refuse the model.
    """
    logs = []
    kind = _prediction_log()
    try:
        for record in tf.data.TFRecordDataset(str(file_of(folder))):
            logs.append(kind.FromString(record.numpy()))
    except (tf.errors.OpError, message.DecodeError) as error:
        why = getattr(error, "message", str(error)).partition("\n")[0]
        raise ValueError(
            f"record {len(logs)} of the warm-up file cannot be read ({why})"
        ) from error
    if not 0 < len(logs) <= MAX_RECORDS:
        raise ValueError(
            f"the warm-up file must have 1 to {MAX_RECORDS} records, and has "
            f"{len(logs)}"
        )
    for number, log in enumerate(logs):
        known = ("predict_log", "classify_log")
        if log.WhichOneof("log_type") not in known:
            raise ValueError(f"record {number} is none of {', '.join(known)}")
        try:
            request_of(log), answer_of(log)
        except (ValueError, TypeError) as error:
            why = " ".join(str(error).split())[:200]
            raise ValueError(
                f"record {number} of the warm-up file has a tensor that is "
                f"none ({why})"
            ) from error
    return logs


def request_of(log) -> tuple[str, dict]:
    """Returns the name of the signature, and {alias: array} of its inputs."""
    if log.WhichOneof("log_type") == "predict_log":
        request = log.predict_log.request
        return request.model_spec.signature_name, _arrays(request.inputs)
    request = log.classify_log.request
    examples = [
        example.SerializeToString(deterministic=True)
        for example in request.input.example_list.examples
    ]
    inputs = {"inputs": np.array(examples, dtype=object)}
    return request.model_spec.signature_name, inputs


def answer_of(log) -> dict:
    """Returns {alias: array} of the outputs; empty if it holds none."""
    if log.WhichOneof("log_type") == "predict_log":
        return _arrays(log.predict_log.response.outputs)
    rows = log.classify_log.response.result.classifications
    if not rows:
        return {}
    return {
        "classes": np.array(
            [[c.label.encode() for c in row.classes] for row in rows], object
        ),
        "scores": np.array(
            [[c.score for c in row.classes] for row in rows], np.float32
        ),
    }


def _fill(tensors, arrays):
    for alias, array in arrays.items():
        tensors[alias].CopyFrom(tf.make_tensor_proto(array))


def _arrays(tensors):
    return {alias: tf.make_ndarray(proto) for alias, proto in tensors.items()}


def _prediction_log():
    """Returns the message PredictionLog, imported when it is needed."""
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError as error:
        raise ImportError(
            "An export needs the messages of TensorFlow Serving: pip install "
            "tf_simmim[serve]."
        ) from error
    return prediction_log_pb2.PredictionLog
