"""Asks a server over TensorFlow Serving's gRPC API.

Needs `tensorflow-serving-api`, and with it TensorFlow.
"""

import re

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import classification_pb2
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.client_side import errors
from serving.client_side import signature

# A client takes 4 MiB unless told otherwise, which is 9 reconstructions of
# 192 px; -1 is without a limit.
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]
# gRPC would take any name, and look for a server at a port of its own.
_ADDRESS = re.compile(
    r"unix:.+|(?:dns:(?:///)?)?(?:\[[^\]/]+\]|[^:/\s]+):(?P<port>\d{1,5})"
)
_LARGEST_PORT = 65535


class GrpcTransport:
    """Sends requests to one model. Safe to use from several threads.

    Owns a channel: `close` ends it. The connection is not encrypted.

    Args:
        address: str. "host:port", "dns:///host:port" (for all servers of that
            name in turn) or "unix:/path".
        model_name: str.
        version: int or None.
        label: str or None.
        timeout_seconds: float > 0. Of a request.

    Raises:
        ValueError: `address` has another form.
    """

    def __init__(self, address, model_name, version, label, timeout_seconds):
        found = _ADDRESS.fullmatch(address)
        port = found and found["port"]
        if not found or port and not 0 < int(port) <= _LARGEST_PORT:
            raise ValueError(
                "`address` must be host:port, dns:///host:port or unix:/path "
                "for gRPC, which is "
                "at port 8500 unless the server was told otherwise. "
                f"Received: {address!r}."
            )
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._model = (model_name, version, label)
        self._timeout_seconds = timeout_seconds

    def signatures(self) -> dict:
        """Returns {name: `Signature`}; see `RestTransport`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        request.metadata_field.append("signature_def")
        response = self._ask("GetModelMetadata", request)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        message = json_format.MessageToDict(definitions)
        return signature.parse(message.get("signatureDef", {}))

    def predict(self, asked: signature.Signature, inputs: dict) -> dict:
        """Returns the outputs of a signature; see `RestTransport`.

        Strings are bytes where the alias ends in `_bytes`, else str.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.signature_name = asked.name
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        response = self._ask("Predict", request)
        outputs = {}
        for alias in asked.outputs:
            array = tf.make_ndarray(response.outputs[alias])
            if array.dtype == np.object_ and not alias.endswith("_bytes"):
                for place, text in np.ndenumerate(array):
                    array[place] = text.decode(errors="replace")
            outputs[alias] = array
        return outputs

    def classify(self, name: str, feature: str, files: list) -> list:
        """Returns [(class, score), ...] for each file; see `RestTransport`."""
        request = classification_pb2.ClassificationRequest()
        request.model_spec.signature_name = name
        for file in files:
            example = request.input.example_list.examples.add()
            example.features.feature[feature].bytes_list.value.append(file)
        response = self._ask("Classify", request)
        return [
            [(each.label, each.score) for each in row.classes]
            for row in response.result.classifications
        ]

    def close(self) -> None:
        """Ends the channel."""
        self._channel.close()

    def _ask(self, method, request):
        name, version, label = self._model
        request.model_spec.name = name
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
        try:
            call = getattr(self._stub, method)
            return call(request, timeout=self._timeout_seconds)
        except grpc.RpcError as error:
            raise errors.RequestError(
                error.code().name, error.details()
            ) from error
