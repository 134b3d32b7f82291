"""A run whose numbers go bad: the real program with an absurd rate."""

import json

import numpy as np
import pytest

from tests.integration import programs


@pytest.mark.slow
def test_a_run_that_blows_up_stops_with_its_last_good_weights(tmp_path):
    result = programs.run(
        "pretrain.py",
        *programs.TINY,
        "--depth=1",
        "--base_learning_rate=1e22",
        "--warmup_epochs=0",
        f"--workdir={tmp_path}",
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "Step 2 was skipped" in result.stderr
    assert "not finite in 5 steps, the last 5 in a row" in result.stderr

    skipped = (tmp_path / "skipped_steps.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in skipped]
    assert [row["step"] for row in rows] == [2, 3, 4, 5, 6]
    # Every image once: the data went on, and the images were not to blame.
    indices = [index for row in rows for index in row["indices"]]
    assert len(set(indices)) == len(indices) == 5 * 16
    assert not any(row["non_finite_images"] for row in rows)
    for row in programs.rows(tmp_path):
        assert row["loss"] is not None and np.isfinite(row["loss"])

    assert "step-00000006" in programs.checkpoints(tmp_path)
    for name, array in programs.tensors(tmp_path, step=6).items():
        if array.dtype.kind == "f":
            assert np.isfinite(array).all(), name


@pytest.mark.slow
def test_a_run_that_learns_one_colour_says_so_once(tmp_path):
    result = programs.pretrain(
        tmp_path,
        *("--depth=1", "--base_learning_rate=1e-9", "--warmup_epochs=0"),
        *("--log_every_steps=1", "--train_steps=14"),
    )
    lines = [x for x in result.stderr.splitlines() if "one colour" in x]
    assert len(lines) == 1
    assert "Step 10: for 10 steps" in lines[0]
    assert "Try a third of the learning rate first" in lines[0]
