"""Asks a server over TensorFlow Serving's REST API."""

import base64
import http.client
import json
import math
import urllib.parse

import numpy as np

from serving.client_side import errors
from serving.client_side import signature

# The standard library does what is needed: one request at a time, over
# connections that a busy server may close. Nothing of TensorFlow is imported.
_CONNECTIONS = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}


class RestTransport:
    """Sends requests to one model. Safe to use from several threads.

    Args:
        address: str. "host:port", "http://host:port" or "https://host:port".
        model_name: str.
        version: int or None.
        label: str or None.
        timeout_seconds: float > 0. For each of: to connect, to send, and to
            wait for the next byte of the answer.

    Raises:
        ValueError: `address` has another form.
    """

    def __init__(self, address, model_name, version, label, timeout_seconds):
        url = address if "://" in address else f"http://{address}"
        parts = urllib.parse.urlsplit(url)
        try:
            port = parts.port
        except ValueError:  # No number, or none of a port.
            port = None
        if (
            parts.scheme not in _CONNECTIONS
            or not (parts.hostname and port)
            or parts.path.strip("/")
        ):
            raise ValueError(
                "`address` must be host:port, for REST also with http:// or "
                "https:// before it; REST is at port 8501 unless the server "
                f"was told otherwise. Received: {address!r}."
            )
        self._connect = _CONNECTIONS[parts.scheme]
        self._host = parts.netloc
        self._timeout_seconds = timeout_seconds
        self._path = f"/v1/models/{urllib.parse.quote(model_name, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        if label is not None:
            self._path += f"/labels/{urllib.parse.quote(label, safe='')}"

    def signatures(self) -> dict:
        """Returns {name: `Signature`}.

        Raises:
            RequestError: no such answer came.
        """
        answer = self._ask("GET", "/metadata")
        definitions = answer["metadata"]["signature_def"]["signature_def"]
        return signature.parse(definitions)

    def predict(self, asked: signature.Signature, inputs: dict) -> dict:
        """Returns the outputs of a signature, arrays by alias.

        Args:
            asked: `Signature`.
            inputs: {alias: array, or list of bytes}, each with the batch
                first.

        Raises:
            RequestError: no such answer came.
        """
        values = {alias: _to_json(value) for alias, value in inputs.items()}
        if len(asked.inputs) == 1:
            (values,) = values.values()
        body = {"signature_name": asked.name, "inputs": values}
        outputs = self._ask("POST", ":predict", body)["outputs"]
        if len(asked.outputs) == 1:
            outputs = {next(iter(asked.outputs)): outputs}
        return {
            alias: _from_json(outputs[alias], dtype)
            for alias, (dtype, _) in asked.outputs.items()
        }

    def classify(self, name: str, feature: str, files: list) -> list:
        """Returns [(class, score), ...] for each file, over Classify.

        Args:
            name: str. Of the signature.
            feature: str. Of the `tf.train.Example`, for the file.
            files: list of bytes.

        Raises:
            RequestError: no such answer came.
        """
        examples = [{feature: value} for value in _to_json(files)]
        body = {"signature_name": name, "examples": examples}
        results = self._ask("POST", ":classify", body)["results"]
        return [[(label, score) for label, score in row] for row in results]

    def close(self) -> None:
        """Does nothing: each request has its own connection."""

    def _ask(self, method, path, body=None):
        if body is not None:
            body = json.dumps(body).encode()
        connection = self._connect(self._host, timeout=self._timeout_seconds)
        try:
            connection.request(method, self._path + path, body)
            response = connection.getresponse()
            content = response.read()
        except TimeoutError as error:
            raise errors.RequestError(
                "DEADLINE_EXCEEDED",
                f"No answer within {self._timeout_seconds:g} s from "
                f"{self._host}",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            # gRPC gives the same code to a connection that is not there.
            raise errors.RequestError(
                "UNAVAILABLE",
                f"No connection to {self._host}: "
                f"{error or type(error).__name__}",
            ) from error
        finally:
            connection.close()
        return _parse(response, content)


def _parse(response, content):
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if response.status == 200 and isinstance(answer, dict):
        return answer
    message = answer.get("error") if isinstance(answer, dict) else None
    message = message or f"HTTP {response.status} {response.reason}".strip()
    code = errors.code_of_http(response.status)
    raise errors.RequestError(
        code, str(message), _seconds(response.headers.get("Retry-After"))
    )


def _seconds(header):
    # The header may also be a date, which no server here sends.
    try:
        seconds = float(header or "nan")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _to_json(value):
    if isinstance(value, list):
        return [{"b64": base64.b64encode(file).decode()} for file in value]
    return value.tolist()


def _from_json(value, dtype):
    if dtype is not np.object_:
        return np.array(value, dtype)
    flat = [
        base64.b64decode(text["b64"]) if isinstance(text, dict) else text
        for text in value
    ]
    # Not np.array(flat): it would cut zeros off the end of bytes.
    array = np.empty([len(flat)], object)
    array[:] = flat
    return array
