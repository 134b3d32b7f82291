"""Tests for serving.grpc_api.channel_arguments."""

import pytest

from serving import errors
from serving.grpc_api import channel_arguments


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        (
            "grpc.max_connection_age_ms=60000,grpc.primary_user_agent=a=b",
            {
                "grpc.max_connection_age_ms": 60000,
                "grpc.primary_user_agent": "a=b",
            },
        ),
        (f"a={2**31 - 1},b={-(2**31)}", {"a": 2**31 - 1, "b": -(2**31)}),
        (f"a={2**31}", {"a": str(2**31)}),
    ],
)
def test_options_of_grpc_are_numbers_where_they_can_be(text, options):
    assert channel_arguments.parse(text) == options


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=1,b"])
def test_options_of_grpc_that_are_none_are_refused(text):
    with pytest.raises(errors.ServingError, match="must be name=value"):
        channel_arguments.parse(text)
