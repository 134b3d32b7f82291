"""Runs whose numbers go bad: the real program, and what it says."""

import json

import numpy as np
import pytest
from PIL import Image

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
        "--depth=1",
        "--base_learning_rate=1e-9",
        "--warmup_epochs=0",
        "--log_every_steps=1",
        "--train_steps=14",
    )
    lines = [x for x in result.stderr.splitlines() if "one colour" in x]
    assert len(lines) == 1
    assert "Step 10: for 10 steps" in lines[0]
    assert "Try a third of the learning rate first" in lines[0]


@pytest.mark.slow
def test_a_run_that_learns_its_images_by_heart_says_so_once(tmp_path):
    """What it learns is wrong in the held-out images, which are inverted."""
    upper_half = np.arange(32)[:, np.newaxis] // 16 + np.zeros([32, 32])
    for split, pixels in (("train", upper_half), ("test", 1 - upper_half)):
        folder = tmp_path / "images" / split / "one_class"
        folder.mkdir(parents=True)
        for i in range(20):
            image = Image.fromarray(np.uint8(40 + 170 * pixels + i))
            image.save(folder / f"{i}.png")
    arguments = (
        f"--dataset=folder:{tmp_path / 'images'}",
        *("--depth=1", "--absolute_position=sincos", "--crop_scale=1,1"),
        *("--global_batch_size=10", "--base_learning_rate=0.5"),
        *("--num_validation_images=20", "--train_epochs=16"),
    )
    workdir = tmp_path / "run"
    first = programs.pretrain(workdir, *arguments, "--train_steps=16")
    lines = [x for x in first.stderr.splitlines() if "by heart" in x]
    assert len(lines) == 1
    best, *_, last = programs.rows(workdir)
    assert f"Step {last['step']}: the held-out reconstruction" in lines[0]
    assert f"from {best['validation_loss']:.4f} at step 4" in lines[0]
    assert f"to {last['validation_loss']:.4f}, while" in lines[0]

    second = programs.pretrain(workdir, *arguments, "--train_steps=24")
    assert "from step 16." in second.stderr
    rows = programs.rows(workdir)
    assert rows[-1]["validation_loss"] > 1.5 * best["validation_loss"]
    assert "by heart" not in second.stderr
