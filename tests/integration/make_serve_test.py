"""`make serve`, from nothing to the features of an image by curl."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request

import pytest

from tests.integration import programs
from tests.serving import live_server


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("curl")),
    reason="Needs make and curl.",
)
def test_the_command_that_is_printed_gives_features(tmp_path):
    run = tmp_path / "run"
    port = live_server.free_port()
    process = subprocess.Popen(
        [
            *programs.HEEDING_CTRL_C,
            *("make", "--old-file=environment", "serve"),
            f"VENV_PYTHON={sys.executable}",
            f"DEMO_WORKDIR={run}",
            "DEMO_FLAGS=--train_steps=2 --warmup_epochs=0 --depth=1",
            f"SERVE_PORT={port}",
            "SERVE_FLAGS=--port=0",
        ],
        cwd=programs.ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if line.startswith("Serving at"):
                break
        found = re.search(
            r"from another terminal:\n\n(.*?)\n\n", printed, re.DOTALL
        )
        assert found, printed
        result = subprocess.run(
            ["sh", "-c", found[1]],
            cwd=programs.ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, found[1] + result.stderr
        address = f"http://127.0.0.1:{port}/page/pictures.json"
        with urllib.request.urlopen(address, timeout=20) as answer:
            pictures = [picture["name"] for picture in json.load(answer)]
    finally:
        # As Ctrl-C does: to make and to what it runs.
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert f"There is no export in {run}/export yet. Exporting." in printed
    # The page is given pictures of the data that the run is of.
    names = sorted(path.name for path in (run / "samples").iterdir())
    assert len(names) == 24
    assert re.fullmatch(r"0000_\d\.png", names[0])
    assert f"base64 < {run}/samples/{names[0]} " in found[1]
    assert pictures == [name.removesuffix(".png") for name in names]
    (features,) = json.loads(result.stdout)["predictions"]
    manifest = json.loads((run / "export/1/manifest.json").read_text())
    outputs = manifest["signatures"]["features"]["outputs"]
    assert len(features) == outputs["features"]["shape"][-1]
