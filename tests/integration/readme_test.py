"""The script that the README shows is run as it stands there."""

import re
import subprocess
import sys

from tests.integration import programs


def test_the_readme_script_is_short_and_runs():
    readme = (programs.ROOT / "README.md").read_text()
    (script,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    lines = [line for line in script.splitlines() if line.strip()]
    assert len(lines) <= 10
    check = "\nassert features.shape == (8, 6, 6, 192)\n"
    result = subprocess.run(
        [sys.executable, "-c", script + check],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "loss" in result.stdout
