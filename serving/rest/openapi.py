"""The REST addresses and signatures of a server as an OpenAPI document."""

import urllib.parse

import tensorflow as tf

from serving import errors
from serving import examples
from serving import model_versions

_DESCRIPTION = """\
TensorFlow Serving's REST API, and the addresses of this server that it does
not have. `signature_name` may be left out for `serving_default`. Beside rows
(`instances`), `:predict` takes columns (`inputs`, answered by `outputs`).
Bytes, such as image files, are base64: `{"b64": "..."}`."""
_ERRORS = {
    "400": "The request is not what the model takes, or an image is damaged.",
    "404": "There is no such model or version.",
    "408": "The body took too long to arrive.",
    "413": "The body is too large.",
    "503": "The server is busy: try again after `Retry-After` seconds.",
    "504": "The answer took too long.",
}
_BASE64 = {
    "type": "object",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["b64"],
    "additionalProperties": False,
}
# JSON has no word for them; TensorFlow Serving writes NaN and Infinity.
_REAL = {"type": "number"}


def document(versions: model_versions.ModelVersions) -> dict:
    """Returns what a server can be asked at present.

    A model has an entry of its own for each of its methods, whose body is one
    of its signatures with their names and shapes.

    Args:
        versions: the models.

    Returns:
        dict, of OpenAPI 3.1.
    """
    paths = {
        "/healthz": {"get": _get("Whether the process answers", _object())},
        "/readyz": {
            "get": {
                "summary": "Whether requests would be answered",
                "responses": {
                    "200": _json("They would.", _object()),
                    "503": _json("They would not.", _object()),
                },
            }
        },
    }
    for name in versions.names():
        try:
            with versions.using(name) as (_, engine):
                signatures = dict(engine.signatures)
        except errors.ServingError:
            continue  # Nothing to ask at present.
        paths |= _model_paths(name, signatures)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Models of this server",
            "version": "1",
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "properties": {"error": {"type": "string"}},
                    "required": ["error"],
                },
                "Bytes": _BASE64,
            }
        },
    }


def _model_paths(name, signatures):
    # As in a path; OpenAPI would take braces for a parameter.
    base = f"/v1/models/{urllib.parse.quote(name, safe='')}"
    paths = {
        base: {
            "get": _get(f"States of the versions of {name}", _status(), "404")
        },
        f"{base}/metadata": {
            "get": _get(f"Signatures of {name}", _object(), "404")
        },
    }
    methods = {}
    for key, signature in sorted(signatures.items()):
        if signature.inputs and signature.outputs:
            method = examples.method_of(signature)
            if method != "predict":
                methods.setdefault(method, {})[key] = _example_schemas(method)
            if _is_in_rows(signature):
                methods.setdefault("predict", {})[key] = _row_schemas(signature)
    for method, schemas in sorted(methods.items()):
        paths[f"{base}:{method}"] = {"post": _post(name, method, schemas)}
    return paths


def _get(summary, schema, *codes):
    return {
        "summary": summary,
        "responses": {
            "200": _json("The answer.", schema),
            **_error_responses(codes),
        },
    }


def _post(name, method, schemas):
    """Returns an operation; `schemas` is {signature: (request, answer)}."""
    requests, answers = [], []
    for key, (request, answer) in schemas.items():
        required = [next(iter(request))]
        if key != "serving_default":
            required.append("signature_name")
        requests.append(
            {
                "title": key,
                "type": "object",
                "properties": {"signature_name": {"const": key}, **request},
                "required": required,
            }
        )
        answers.append({"title": key, **answer})
    return {
        "summary": f"Ask {name}: {method}",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": requests}}},
        },
        "responses": {
            "200": _json("The answer.", {"anyOf": answers}),
            **_error_responses(_ERRORS),
        },
    }


def _row_schemas(signature):
    value = _rows(signature.inputs, is_input=True)
    answer = _rows(signature.outputs, is_input=False)
    return (
        {"instances": {"type": "array", "items": value, "minItems": 1}},
        _object(predictions={"type": "array", "items": answer}),
    )


def _example_schemas(method):
    feature = {examples.EXAMPLE_FEATURE: _reference("Bytes")}
    result = _REAL
    if method == "classify":
        pair = {
            "type": "array",
            "prefixItems": [{"type": "string"}, _REAL],
            "minItems": 2,
            "maxItems": 2,
        }
        result = {"type": "array", "items": pair}
    return (
        {
            "examples": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "object", "properties": feature},
            }
        },
        _object(results={"type": "array", "items": result}),
    )


def _rows(tensors, is_input):
    """Returns the schema of one row: bare where there is one tensor."""
    values = {
        alias: _tensor(alias, info, is_input)
        for alias, info in sorted(tensors.items())
    }
    if len(values) == 1:
        return next(iter(values.values()))
    return {**_object(**values), "additionalProperties": False}


def _tensor(alias, info, is_input):
    dtype = tf.as_dtype(info.dtype)
    schema = _REAL
    if dtype == tf.string:
        schema = {"type": "string"}
        if is_input:
            schema = {"anyOf": [_reference("Bytes"), schema]}
        elif alias.endswith("_bytes"):
            schema = _reference("Bytes")
    elif dtype == tf.bool:
        schema = {"type": "boolean"}
    elif dtype.is_integer:
        schema = {"type": "integer"}
    for dim in reversed(info.tensor_shape.dim[1:]):
        schema = {"type": "array", "items": schema}
        if dim.size >= 0:
            schema |= {"minItems": dim.size, "maxItems": dim.size}
    return schema


def _is_in_rows(signature):
    infos = [*signature.inputs.values(), *signature.outputs.values()]
    return all(
        info.tensor_shape.dim and info.tensor_shape.dim[0].size == -1
        for info in infos
    )


def _status():
    return _object(
        model_version_status={
            "type": "array",
            "items": _object(
                version={"type": "string"},
                state={"type": "string"},
                status={"type": "object"},
            ),
        }
    )


def _object(**properties):
    schema = {"type": "object"}
    if properties:
        schema |= {"properties": properties, "required": [*properties]}
    return schema


def _reference(name):
    return {"$ref": f"#/components/schemas/{name}"}


def _error_responses(codes):
    return {code: _json(_ERRORS[code], _reference("Error")) for code in codes}


def _json(description, schema):
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }
