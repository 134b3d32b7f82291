"""Tests for benchmarks/checkpoint.py."""

import re

import pytest

from tests.integration import programs
from tests.integration import warm_interpreter


@pytest.mark.slow
def test_the_parts_of_a_save_make_up_the_whole(tmp_path):
    result = warm_interpreter.run(
        [
            programs.ROOT / "benchmarks/checkpoint.py",
            *(*programs.TINY, "--patch_size=4", "--depth=1"),
            *("--num_rounds=2", f"--directory={tmp_path}"),
        ],
        programs.ROOT,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    rows = re.findall(r"^\| (.*) \| (\d+\.\d+) \(", result.stdout, re.M)
    seconds = {part: float(median) for part, median in rows}
    whole = seconds.pop("in all")
    assert len(seconds) == 6
    assert whole > 0
    # To the rounding of each, and what is between them.
    assert abs(sum(seconds.values()) - whole) < 0.05 + 0.2 * whole
    assert "the training time; it would cost 3.5%" in result.stdout
    assert list(tmp_path.iterdir()) == []
