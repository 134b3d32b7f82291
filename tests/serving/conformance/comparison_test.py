"""Tests for serving.conformance.comparison."""

import pytest

from serving.conformance import comparison


@pytest.mark.parametrize(
    ("got", "expected", "sentence"),
    [
        ({"a": [1, 2.5]}, {"a": [1, 2.5]}, ""),
        ({"a": [0.1]}, {"a": [0.10000000149011612]}, ""),
        ({"a": [1]}, {"a": [1.0]}, ".a[0] is 1, not 1.0"),
        ({"a": 1}, {"a": True}, ".a is 1, not True"),
        ({"a": 2.5001}, {"a": 2.5}, ".a is 2.5001, not 2.5"),
        ({"a": [1]}, {"a": [1, 2]}, ".a has 1 elements, not 2"),
        ({}, {"a": 1}, ".a is missing"),
        ({"a": 1}, {}, ".a is not expected"),
        ({"a": {"b": "NaN"}}, {"a": {"b": "x"}}, ".a.b is 'NaN', not 'x'"),
        ([], {}, "is [], not {}"),
    ],
)
def test_the_first_difference_is_said(got, expected, sentence):
    assert comparison.of_values(got, expected) == sentence


def test_a_part_may_be_all_that_is_expected():
    got = {"a": {"b": 1, "c": 2}, "d": 3}
    assert comparison.of_values(got, {"a": {"c": 2}}, part=True) == ""
    found = comparison.of_values(got, {"a": {"c": 3}}, part=True)
    assert found == ".a.c is 2, not 3"


@pytest.mark.parametrize(
    ("got", "expected", "name"),
    [
        ("JSON at offset: 12", "JSON at offset: 7", "offset in a JSON parse"),
        ('{\n  "a": 1\n} bad', '{"a": 1} bad', "white space"),
        ("x" * 1000 + "...", "x" * 2000, "a value that is cut off"),
        ("no such model", "no such version", ""),
    ],
)
def test_known_differences_have_names(got, expected, name):
    assert comparison.of_messages(got, expected)
    found = comparison.known_difference(got, expected)
    assert found.startswith(name) and bool(found) == bool(name)


def test_a_message_may_be_held_in_another():
    assert comparison.of_messages("a b c", "b", part=True) == ""
    assert comparison.of_messages("a b c", "b") == "it says 'a b c', not 'b'"
