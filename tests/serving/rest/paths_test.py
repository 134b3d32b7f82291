"""Tests for serving.rest.paths; the rest: routes_test.py."""

import pytest

from serving import errors
from serving.rest import paths

ENCODED = "%21%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D"
DECODED = "!#$%&'()*+,/:;=?@[]"


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "/v1/models/m", paths.Target("status", "m")),
        ("GET", "/v1/models/m/versions/99", paths.Target("status", "m", 99)),
        (
            "GET",
            f"/v1/models/m{ENCODED}/labels/l{ENCODED}/metadata",
            paths.Target("metadata", f"m{DECODED}", label=f"l{DECODED}"),
        ),
        (
            "POST",
            f"/v1/models/m{ENCODED}/labels/l{ENCODED}:predict",
            paths.Target("predict", f"m{DECODED}", label=f"l{DECODED}"),
        ),
        (
            "POST",
            "/V1/Models/M/Versions/007:Regress",
            paths.Target("regress", "M", 7),
        ),
    ],
)
def test_a_path_says_what_it_asks_for(method, path, target):
    assert paths.parse(method, path) == target


@pytest.mark.parametrize("version", ["9" * 19, "9" * 5000])
def test_a_version_beyond_63_bits_is_refused(version):
    with pytest.raises(errors.ServingError, match="Failed to convert version"):
        paths.parse("GET", f"/v1/models/m/versions/{version}")


def test_digits_of_other_scripts_are_no_version():
    with pytest.raises(errors.ServingError, match="Malformed request"):
        paths.parse("GET", "/v1/models/m/versions/٣")


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/v1/", True), ("/V1/x\ny", True), ("/v1", False), ("/index", False)],
)
def test_only_what_lies_below_v1_is_the_contract(path, expected):
    assert paths.is_api(path) is expected
