"""Runs experiments/doctor.py as a user does."""

import os

import pytest

from tests.integration import programs


@pytest.mark.slow
def test_it_describes_a_run_and_leaves_nothing(tmp_path):
    result = programs.run(
        "doctor.py",
        *programs.TINY,
        "--depth=1",
        "--measure_seconds=0.5",
        f"--workdir={tmp_path}/run",
    )
    assert result.returncode == 0, result.stderr
    rows = [line.split()[0] for line in result.stdout.splitlines() if line]
    for name in ("Images", "Mask", "AvgDist", "Learning", "Updates"):
        assert name in rows
    for name in ("Parameters", "Arithmetic", "Memory", "Input", "Step", "Time"):
        assert name in rows
    assert "10 of 16 squares of 8 px: 62.5%" in result.stdout
    assert "Warning: 89 updates are few" in result.stdout
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_pixels_for_a_tpu_and_phases_of_a_curriculum_are_measured():
    result = programs.run(
        "doctor.py",
        *programs.TINY,
        "--depth=1",
        "--measure_seconds=0.1",
        "--image_dtype=uint8",
        "--image_size_schedule=16@0,32@0.5",
    )
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if line.strip()]
    names = [row[0] for row in rows]
    assert names.count("Phase") == names.count("Step") == 2
    assert names.count("Time") == names.count("Updates") == 1
    # Squares of 8 px, of 16 px and of 32.
    squares = [row[1:4] for row in rows if row[0] == "Mask"]
    assert squares == [["3", "of", "4"], ["10", "of", "16"]]
    sizes = [row[2] for row in rows if row[0] == "Phase"]
    assert sizes == ["16x16", "32x32"]


@pytest.mark.slow
def test_without_images_it_says_what_needs_none(tmp_path):
    result = programs.run(
        "doctor.py",
        *programs.TINY,
        "--depth=1",
        "--measure_seconds=0.5",
        f"--dataset=folder:{tmp_path}/missing",
        "--mask_ratio_schedule=.5@0",
    )
    assert result.returncode == 0, result.stderr
    assert "schedules are left out" in result.stdout.replace("\n", " ")
    assert f"{tmp_path}/missing" in result.stdout
    assert "GFLOP an image" in result.stdout
    assert "Input" not in result.stdout


@pytest.mark.slow
def test_impossible_flags_end_it_with_one_line():
    result = programs.run("doctor.py", *programs.TINY, "--mask_patch_size=7")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "mask_patch_size" in result.stderr
