"""The scripts that the READMEs show are run as they stand there."""

import re
import subprocess
import sys

import pytest

from tests.integration import programs


def run_script(readme, check, cwd):
    """Runs the one Python script of a page, with a check at its end."""
    text = (programs.ROOT / readme).read_text()
    (script,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    result = subprocess.run(
        [sys.executable, "-c", f"{script}\n{check}\n"],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return script, result


@pytest.mark.slow
def test_the_training_script_has_ten_lines_and_runs(tmp_path):
    check = "assert features.shape == (8, 6, 6, 192)"
    script, result = run_script("README.md", check, tmp_path)
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
    assert "loss" in result.stdout


@pytest.mark.slow
def test_the_saved_features_load_with_any_batch_size(tmp_path):
    check = """
loaded = tf.saved_model.load("features/1").signatures["serving_default"]
images = tf.zeros([2, 96, 96, 3], tf.uint8)
assert loaded(images)["features"].shape == (2, 192)
"""
    run_script("serving/README.md", check, tmp_path)
