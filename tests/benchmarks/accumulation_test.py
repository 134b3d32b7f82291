"""Tests for benchmarks/accumulation.py."""

import re

import pytest

from tests.integration import programs
from tests.integration import warm_interpreter


@pytest.mark.slow
def test_the_table_has_a_row_for_each_kind_of_step():
    result = warm_interpreter.run(
        [
            programs.ROOT / "benchmarks/accumulation.py",
            *(*programs.TINY, "--patch_size=4", "--depth=1"),
            *("--micro_batch_size=3", "--num_rounds=2"),
        ],
        programs.ROOT,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (.*) \|$", result.stdout, re.M)
    kinds = [(int(images), int(steps)) for images, steps, _ in rows]
    assert kinds == [(3, 1), (6, 2), (12, 4), (6, 1), (12, 1)]
    # The first row is what the others are compared with.
    assert "| 1.00 (1.00 to 1.00) | 1.00 (1.00 to 1.00) |" in rows[0][2]
