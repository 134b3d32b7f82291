"""Requests that Schemathesis makes up along the server's OpenAPI document."""

import re
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    "model, methods",
    [("served", {"predict"}), ("served_classifier", {"predict", "classify"})],
)
def test_no_request_breaks_the_server_or_its_own_document(
    model, methods, request, tmp_path
):
    client = request.getfixturevalue(model).client
    paths = client.ask("GET", "/openapi.json").json()["paths"]
    asked = {path.rpartition(":")[2] for path in paths if ":" in path}
    assert asked == methods
    result = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"http://127.0.0.1:{client.port}/openapi.json",
            *("--max-examples=40", "--seed=1", "--continue-on-failure"),
            *("--request-timeout=60", "--suppress-health-check=all"),
            # A string is an image only if it holds one, which no schema says;
            # other methods are 400 or 404, as TensorFlow Serving has it.
            "--exclude-checks=positive_data_acceptance,unsupported_method",
        ],
        # It leaves a cache in the folder where it runs.
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    (count,) = re.findall(r"(\d+) generated, \1 passed", result.stdout)
    assert int(count) > 100
    assert client.ask("GET", "/readyz").status == 200
