"""The golden exchanges of tests/golden/serving/, asked of an endpoint."""

import contextlib
import dataclasses
import http.client
import json
import pathlib
import urllib.parse

import grpc
from google.protobuf import json_format
from tensorflow_serving.apis import classification_pb2
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import inference_pb2
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis import regression_pb2

from serving.conformance import comparison

FOLDER = pathlib.Path(__file__).parents[2] / "tests" / "golden" / "serving"
_REQUESTS = {
    "Predict": predict_pb2.PredictRequest,
    "Classify": classification_pb2.ClassificationRequest,
    "Regress": regression_pb2.RegressionRequest,
    "MultiInference": inference_pb2.MultiInferenceRequest,
    "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of an exchange.

    Attributes:
        name: str. Of the exchange.
        difference: str. Sentence; empty: it is as expected.
        known_as: str. Name of the known difference that it is, or empty.
    """

    name: str
    difference: str = ""
    known_as: str = ""


def read(protocol: str) -> list[dict]:
    """Returns the exchanges of "rest" or "grpc"."""
    return json.loads((FOLDER / f"{protocol}.json").read_text("utf-8"))


def ask_rest(url: str, timeout_seconds: float):
    """Yields the `Outcome` of each exchange over REST.

    Args:
        url: str. "http://host:port" of the endpoint.
        timeout_seconds: float. Of an exchange.

    Raises:
        OSError: it does not answer.
    """
    host = urllib.parse.urlsplit(url).netloc
    for exchange in read("rest"):
        text = exchange.get("text")
        if text is None and "body" in exchange:
            text = json.dumps(exchange["body"])
        connection = http.client.HTTPConnection(host, timeout=timeout_seconds)
        with contextlib.closing(connection):
            connection.request(
                exchange["method"], exchange["path"], text and text.encode()
            )
            response = connection.getresponse()
            yield _of_rest(exchange, response.status, response.read())


def ask_grpc(address: str, timeout_seconds: float):
    """Yields the `Outcome` of each exchange over gRPC.

    Args:
        address: str. "host:port" of the endpoint.
        timeout_seconds: float. Of an exchange.

    Raises:
        OSError: it does not answer.
    """
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(address, options=options) as channel:
        stubs = (
            prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model_service_pb2_grpc.ModelServiceStub(channel),
        )
        for exchange in read("grpc"):
            method = exchange["method"]
            (stub,) = (each for each in stubs if hasattr(each, method))
            request = _REQUESTS[method]()
            json_format.ParseDict(exchange["request"], request)
            got = {}
            try:
                response = getattr(stub, method)(
                    request, timeout=timeout_seconds
                )
                got["response"] = json_format.MessageToDict(response)
            except grpc.RpcError as error:
                got = {"code": error.code().name, "error": error.details()}
            if got.get("code") == "UNAVAILABLE" != exchange.get("code"):
                raise OSError(got["error"])
            yield _of_grpc(exchange, got)


def _of_rest(exchange, status, content):
    name = exchange["name"]
    if status != exchange["status"]:
        text = content.decode(errors="replace")[:200]
        return Outcome(
            name, f"status {status}, not {exchange['status']}: {text}"
        )
    checked = {"json", "json_contains", "error", "error_contains"}
    if not checked & set(exchange):
        return Outcome(name)
    try:
        # NaN and Infinity as strings: the exchanges have them so.
        answer = json.loads(content, parse_constant=str)
    except ValueError:
        return Outcome(name, f"the answer is no JSON: {content[:200]!r}")
    for key in ("json", "json_contains"):
        if key in exchange:
            found = comparison.of_values(
                answer, exchange[key], key == "json_contains"
            )
            return Outcome(name, found)
    if set(answer) != {"error"}:
        return Outcome(name, f"it has {sorted(answer)}, not an error")
    return _of_error(exchange, answer["error"])


def _of_grpc(exchange, got):
    name = exchange["name"]
    if "code" not in exchange:
        if "code" in got:
            return Outcome(name, f"{got['code']}: {got['error']}")
        found = comparison.of_values(got["response"], exchange["response"])
        return Outcome(name, found)
    if got.get("code") != exchange["code"]:
        code = got.get("code", "OK")
        return Outcome(name, f"code {code}, not {exchange['code']}")
    if "error" in exchange:
        return _of_error(exchange, got["error"])
    return Outcome(name)


def _of_error(exchange, message):
    part = "error" not in exchange
    expected = exchange["error_contains" if part else "error"]
    difference = comparison.of_messages(message, expected, part)
    known_as = ""
    if difference:
        known_as = comparison.known_difference(message, expected, part)
    return Outcome(exchange["name"], difference, known_as)
