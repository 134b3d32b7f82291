"""Tests for serving.rest.json_document."""

import json
import time

import hypothesis
import pytest
from hypothesis import strategies

from serving import errors
from serving.rest import json_document

JSON_VALUES = strategies.recursive(
    strategies.one_of(
        strategies.none(),
        strategies.integers(),
        strategies.text('[]{}"\\a', max_size=6),
    ),
    lambda children: (
        strategies.lists(children, max_size=3)
        | strategies.dictionaries(
            strategies.text('[]{}"\\a', max_size=3), children, max_size=3
        )
    ),
)


def depth_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(JSON_VALUES)
def test_depth_counts_brackets_but_not_those_in_strings(value):
    text = json.dumps(value).encode()
    assert json_document.depth(text) == depth_of(value)


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(strategies.binary(max_size=40))
def test_any_bytes_are_an_object_or_an_error_of_the_contract(body):
    try:
        assert isinstance(json_document.parse(body, 32), dict)
    except errors.ServingError as error:
        assert error.code == "INVALID_ARGUMENT"


def test_a_million_brackets_are_refused_quickly():
    began = time.process_time()
    with pytest.raises(errors.ServingError, match="nested deeper than 32"):
        json_document.parse(b'{"a":' + b"[" * 10**6, 32)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty. at offset: 2"),
        (b"x", "Invalid value. at offset: 0"),
        ("{ü".encode(), "Missing a name for object member. at offset: 1"),
        (b'{"\xc3\xbc": ?}', "Invalid value. at offset: 7"),
        (b'{"a" 1}', "Missing a colon after a name of object member."),
        (b'{"a": [1 2]}', "Missing a comma or ] after an array element."),
        (b'{"a": [1] 2}', "Missing a comma or } after an object member."),
        (b'{"a": "b', "Missing a closing quotation mark in string."),
        (b'{"a": "\n"}', "Invalid encoding in string."),
        (b'{"a": "\\x"}', "Invalid escape character in string."),
        (b'{"a": "\\u12x4"}', "Incorrect hex digit after \\u escape"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Number too big to be stored"),
    ],
)
def test_messages_are_those_of_the_servers_reader(body, message):
    with pytest.raises(errors.ServingError) as caught:
        json_document.parse(body, 32)
    assert caught.value.message.startswith(f"JSON Parse error: {message}")


def test_a_byte_order_mark_and_spaces_are_skipped():
    assert json_document.parse(b'\xef\xbb\xbf \t{"a": 1} x', 32) == {"a": 1}


def test_values_are_shown_as_the_server_shows_them():
    assert json_document.show({"a": [1, "ü", None, True, []]}) == (
        '{\n    "a": [\n        1,\n        "ü",\n        null,\n'
        "        true,\n        []\n    ]\n}"
    )
    assert json_document.show(0.1) == "0.1"
    assert json_document.show(float("nan")) == "NaN"
    assert json_document.show(1e300) == "1e+300"


def test_of_a_long_value_only_the_beginning_is_shown():
    began = time.process_time()
    shown = json_document.show([[0.5] * 1000] * 1000)
    assert time.process_time() - began < 0.5
    assert len(shown) == 1003
    assert shown.endswith("...")
