"""The scripts that the READMEs show are run, of fewer blocks and steps."""

import re
import subprocess
import sys

import pytest

from tests.integration import programs


def run_script(readme, check, cwd, *shortened):
    """Runs the one Python script of a page, with a check at its end.

    Args:
        readme: str. Path of the page.
        check: str. Python that asserts what the script has left.
        cwd: pathlib.Path. Where it runs.
        *shortened: (what the page says, what takes its place here).

    Returns:
        (the script of the page, subprocess.CompletedProcess).
    """
    text = (programs.ROOT / readme).read_text()
    (script,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    code = script
    for said, run in shortened:
        assert code.count(said) == 1
        code = code.replace(said, run)
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{check}\n"],
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
    script, result = run_script(
        "README.md",
        check,
        tmp_path,
        ("[256, ", "[64, "),
        ("image_size=96)", "image_size=96, depth=2)"),
    )
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
    assert "loss" in result.stdout


@pytest.mark.slow
def test_the_saved_features_load_with_any_batch_size(tmp_path):
    check = """
loaded = tf.saved_model.load("features/1").signatures["serving_default"]
images = tf.zeros([2, 96, 96, 3], tf.uint8)
assert loaded(images)["features"].shape == (2, 192)
"""
    run_script(
        "serving/README.md",
        check,
        tmp_path,
        ("image_size=96)", "image_size=96, depth=2)"),
    )


@pytest.mark.slow
def test_the_baselines_of_the_results_are_what_their_program_says(tmp_path):
    _, result = run_script("docs/results.md", "", tmp_path)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    text = (programs.ROOT / "docs/results.md").read_text()
    for column in (1, 2):
        found = [f"{float(row[column]):.3f}" for row in rows]
        assert f"({', '.join(found)})" in text.replace("\n", " ")
