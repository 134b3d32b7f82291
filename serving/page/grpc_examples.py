"""Programs to copy that ask this very model something over gRPC."""

import math

import tensorflow as tf

from serving import examples

_PREDICT = """\
{imports}
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

request = predict_pb2.PredictRequest()
request.model_spec.name = {model!r}
request.model_spec.signature_name = {signature!r}
{inputs}
options = [("grpc.max_receive_message_length", -1)]
with grpc.insecure_channel({address!r}, options) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    answer = stub.Predict(request, timeout=30)
for name, tensor in answer.outputs.items():
    print(name, tf.make_ndarray(tensor))
"""
_EXAMPLES = """\
import grpc
import tensorflow as tf
from tensorflow_serving.apis import {module}
from tensorflow_serving.apis import prediction_service_pb2_grpc

request = {module}.{method}Request()
request.model_spec.name = {model!r}
request.model_spec.signature_name = {signature!r}
example = request.input.example_list.examples.add()
with open({file!r}, "rb") as file:
    photo = tf.train.BytesList(value=[file.read()])
example.features.feature[{feature!r}].bytes_list.CopyFrom(photo)
with grpc.insecure_channel({address!r}) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    print(stub.{method}(request, timeout=30))
"""
_MODULES = {"classify": "classification_pb2", "regress": "regression_pb2"}


def program(
    address: str, model_name: str, name: str, signature, file="photo.jpg"
) -> str:
    """Returns a program in Python that asks a signature once.

    Args:
        address: str. Of gRPC, such as "127.0.0.1:8500".
        model_name: str.
        name: str. Of the signature.
        signature: `SignatureDef`.
        file: str. Name of the file that string inputs are read from; other
            inputs are zeros, and dimensions that are not known are 1.
    """
    method = examples.method_of(signature)
    if method != "predict":
        return _EXAMPLES.format(
            module=_MODULES[method],
            method=method.capitalize(),
            model=model_name,
            signature=name,
            file=file,
            feature=examples.EXAMPLE_FEATURE,
            address=address,
        )
    lines, imports = [], ["import grpc"]
    for alias, info in sorted(signature.inputs.items()):
        lines.append(f"# {alias}: {_words(info)}")
        value = _value(info, file)
        lines.append(f"value = {value}")
        if "np." in value:
            imports.append("import numpy as np")
        if "pathlib." in value:
            imports.append("import pathlib")
        lines.append(
            f"request.inputs[{alias!r}].CopyFrom(tf.make_tensor_proto(value))"
        )
    return _PREDICT.format(
        model=model_name,
        signature=name,
        imports="\n".join(dict.fromkeys(imports)),
        inputs="\n".join(lines),
        address=address,
    )


def _words(info):
    sizes = [
        str(dim.size) if dim.size >= 0 else "batch" if not place else "any"
        for place, dim in enumerate(info.tensor_shape.dim)
    ]
    return f"{tf.as_dtype(info.dtype).name} [{', '.join(sizes)}]"


def _value(info, file):
    shape = [max(dim.size, 1) for dim in info.tensor_shape.dim]
    dtype = tf.as_dtype(info.dtype)
    if dtype == tf.string:
        read = f"pathlib.Path({file!r}).read_bytes()"
        if not shape:
            return read
        files = f"[{read}] * {math.prod(shape)}"
        if len(shape) == 1:
            return files if shape[0] > 1 else f"[{read}]"
        return f"np.reshape(np.array({files}, object), {shape})"
    return f"np.zeros({shape}, {dtype.name!r})"
