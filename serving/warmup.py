"""Replay of the requests that a version is to answer before it serves."""

import logging
import pathlib
import time

import tensorflow as tf
from google.protobuf import message as protobuf_message
from tensorflow_serving.apis import prediction_log_pb2

from serving import errors
from serving import inference
from serving import monitoring
from serving import multi_inference
from serving.grpc_api import example_input
from serving.grpc_api import tensor_proto

_log = logging.getLogger(__name__)
FILE_NAME = "assets.extra/tf_serving_warmup_requests"
# TensorFlow Serving's.
MAX_RECORDS = 1000


def replay(
    engine, folder: pathlib.Path, iterations: int = 1, max_bytes: int = 2**31
) -> int:
    """Runs the requests of a warm-up file; looks at no answer.

    One that takes longer than a request may is logged, and no reason against
    the version: TensorFlow Serving has no limit here.

    Args:
        engine: with `signatures` and `run`.
        folder: of the version.
        iterations: int >= 1. How often each request runs.
        max_bytes: int. Of an input tensor.

    Returns:
        int, the number of requests in the file; 0 where there is none.

    Raises:
        ServingError: a request failed (as the request), or the file is not of
            TFRecords (DATA_LOSS), has other records (INVALID_ARGUMENT,
            UNIMPLEMENTED) or too many (INVALID_ARGUMENT).
    """
    path = pathlib.Path(folder) / FILE_NAME
    if not path.exists():
        return 0
    began, status = time.monotonic(), "OK"
    try:
        return _replay(engine, path, iterations, max_bytes)
    except errors.ServingError as error:
        status = error.code
        raise
    finally:
        monitoring.MODEL_WARMUP_LATENCY.observe(
            monitoring.microseconds_since(began), str(folder), status
        )


def _replay(engine, path, iterations, max_bytes):
    number = 0
    for record in _records(path):
        number += 1
        if number > MAX_RECORDS:
            raise errors.invalid_argument(
                f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) "
                f"at {path}"
            )
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except protobuf_message.DecodeError as error:
            raise errors.invalid_argument(
                f"Failed to parse warmup record: {number} from {path}"
            ) from error
        for _ in range(iterations):
            _run_in_time(engine, log, max_bytes, f"{number} of {path}")
    return number


def _run_in_time(engine, log, max_bytes, which):
    try:
        _run(engine, log, max_bytes)
    except errors.ServingError as error:
        if error.code != "DEADLINE_EXCEEDED":
            raise
        _log.warning(
            "Warm-up request %s was not answered in the time that a request "
            "has; nor may be those of clients that are like it: %s",
            which,
            error.message,
        )


def _records(path):
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()
    except tf.errors.OpError as error:
        why = error.message.partition("\n")[0]
        raise errors.ServingError(
            "DATA_LOSS",
            f"{why}. Please verify your warmup data is in TFRecord format.",
        ) from error


def _run(engine, log, max_bytes):
    kind = log.WhichOneof("log_type")
    if kind is None:
        return
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {
            alias: tensor_proto.parse(alias, value, max_bytes)
            for alias, value in request.inputs.items()
        }
        name = request.model_spec.signature_name
        inference.predict(engine, name, inputs, request.output_filter)
    elif kind == "classify_log":
        request = log.classify_log.request
        inference.classify(
            engine,
            request.model_spec.signature_name,
            example_input.serialized(request.input),
        )
    elif kind == "regress_log":
        request = log.regress_log.request
        inference.regress(
            engine,
            request.model_spec.signature_name,
            example_input.serialized(request.input),
        )
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        multi_inference.infer(
            engine, request.tasks, example_input.serialized(request.input)
        )
    else:
        raise errors.ServingError(
            "UNIMPLEMENTED", f"Unsupported log_type for warmup: {kind}"
        )
