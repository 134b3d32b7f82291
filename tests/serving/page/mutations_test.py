"""Requests that nobody would send: each gets an answer, and none is a 500.

Documents of any form, and files with bytes changed, which Schemathesis
(schemathesis_test.py) does not make: it keeps near the OpenAPI document.
"""

import base64
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.export import tiny

PREDICT = "/v1/models/tiny%20model:predict"
FILES = {
    kind: tiny.encoded(tiny.photo(2, (30, 40)), kind)
    for kind in ("PNG", "JPEG", "GIF", "BMP")
}
SETTINGS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["serving_default", "reconstruct", "features"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("b64", "image_bytes", "patch_mask", "seed", "pixels"),
                    *("instances", "inputs", "signature_name", "examples"),
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@st.composite
def mutated_files(draw):
    """Image files, with bytes changed, cut off, put in or taken out."""
    content = bytearray(FILES[draw(st.sampled_from(sorted(FILES)))])
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, len(content) - 1))
        action = draw(st.sampled_from(["change", "cut", "insert", "remove"]))
        if action == "change":
            content[place] ^= draw(st.integers(1, 255))
        elif action == "cut" and place > 1:
            del content[place:]
        elif action == "insert":
            content[place:place] = draw(st.binary(min_size=1, max_size=9))
        elif len(content) > 12:
            del content[place : place + draw(st.integers(1, 9))]
    return bytes(content)


def healthy(served):
    return served.client.ask("GET", "/readyz").status == 200


def check_mutated(served, content):
    image = {"b64": base64.b64encode(content).decode()}
    answer = served.client.post(PREDICT, {"instances": [image]})
    assert answer.status in (200, 400), answer.body
    if answer.status == 400:
        assert set(answer.json()) == {"error"}
        assert "Traceback" not in answer.json()["error"]
    else:
        (features,) = answer.json()["predictions"]
        assert len(features) == 12


@hypothesis.settings(max_examples=40, **SETTINGS)
@hypothesis.given(content=mutated_files())
def test_a_damaged_image_is_decoded_or_refused(served, content):
    check_mutated(served, content)


@pytest.mark.slow
@hypothesis.settings(max_examples=500, **SETTINGS)
@hypothesis.given(content=mutated_files())
def test_many_damaged_images_are_decoded_or_refused(served, content):
    check_mutated(served, content)
    assert healthy(served)


@st.composite
def requests(draw, document):
    """A path and method of the document, and a body by its schema, or not."""
    path = draw(st.sampled_from(sorted(document["paths"])))
    method = draw(st.sampled_from(sorted(document["paths"][path])))
    operation = document["paths"][path][method]
    body = None
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        body = draw(valid(content["application/json"]["schema"], document))
        for _ in range(draw(st.integers(0, 2))):
            body = draw(spoiled(body))
    return method.upper(), path, operation, body


def valid(schema, document):
    """Values that a schema of the document describes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return valid(document["components"]["schemas"][name], document)
    if "const" in schema:
        return st.just(schema["const"])
    if "anyOf" in schema:
        return st.one_of([valid(each, document) for each in schema["anyOf"]])
    if schema["type"] == "object":
        parts = {
            name: valid(each, document)
            for name, each in schema["properties"].items()
        }
        return st.fixed_dictionaries(parts)
    if schema["type"] == "array":
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", least + 2)
        items = valid(schema["items"], document)
        # Of large pictures one row, many times: thousands of draws are slow.
        return st.builds(
            lambda item, count: [item] * count, items, st.integers(least, most)
        )
    if schema.get("contentEncoding") == "base64":
        files = st.sampled_from(sorted(FILES)).map(FILES.get) | st.binary()
        return files.map(lambda file: base64.b64encode(file).decode())
    return {
        "string": st.text(max_size=9),
        "integer": st.integers(-(2**40), 2**40),
        "number": st.floats() | st.integers(),
        "boolean": st.booleans(),
    }[schema["type"]]


@st.composite
def spoiled(draw, value):
    """A value with something else somewhere in it."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: draw(spoiled(value[key]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [draw(spoiled(value[0])), *value[1:]]
    return draw(JSON)


@pytest.mark.slow
@hypothesis.settings(max_examples=200, **SETTINGS)
@hypothesis.given(data=st.data())
def test_whatever_is_asked_is_answered_as_the_document_says(served, data):
    document = documents(served)
    method, path, operation, body = data.draw(requests(document))
    content = None if body is None else json.dumps(body).encode()
    answer = served.client.ask(method, path, content, timeout=60)
    # 501: numbers in a string, in columns; TensorFlow Serving's own.
    assert str(answer.status) in operation["responses"] or (
        answer.status == 501
    ), answer.body
    assert answer.headers["content-type"] == "application/json"
    if answer.status != 200:
        assert set(answer.json()) == {"error"}
    assert healthy(served)


_documents = {}


def documents(served):
    """Returns the document of a server, which is asked for it once."""
    if served.client.port not in _documents:
        answer = served.client.ask("GET", "/openapi.json")
        _documents[served.client.port] = answer.json()
    return _documents[served.client.port]
