"""Runs whose image size and mask change: stopped, killed, gone on with."""

import json
import time

import numpy as np
import pytest

from tests.integration import cluster
from tests.integration import programs
from tf_simmim import training

# Every program takes a start of TensorFlow and more than one trace.
pytestmark = pytest.mark.slow

# An epoch has 89 steps: the second phase begins after 7 of them.
SCHEDULES = (
    "--image_size_schedule=24@0,32x40@0.08",
    "--mask_ratio_schedule=0.5@0,0.6@0.08",
)
FLAGS = (
    *SCHEDULES,
    "--absolute_position=learned",  # resampled, as are the relative ones
    "--keep_checkpoints=99",
)
BOUNDARY = 7
# At the end of the first phase, and in the second.
STOPS = (BOUNDARY, 9)
LAST = 12


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A whole run, and one in parts, of whose models we keep what loads."""
    whole = tmp_path_factory.mktemp("whole")
    parts = tmp_path_factory.mktemp("parts")
    programs.pretrain(whole, *FLAGS, f"--train_steps={LAST}")
    loaded = {}
    for steps in (*STOPS, LAST):
        programs.pretrain(parts, *FLAGS, f"--train_steps={steps}")
        loaded[steps] = training.load_pretrained(parts)
    return whole, parts, loaded


def test_a_run_stopped_at_the_boundary_and_after_it_ends_bit_for_bit(runs):
    whole, parts, _ = runs
    for step in (5, BOUNDARY, 10, LAST):
        programs.assert_same_state(whole, parts, step)
    kept = {row["step"]: row for row in programs.rows(parts)}
    for row in programs.rows(whole):
        assert kept[row["step"]] == row


def test_weights_and_moments_change_their_shape_once(runs):
    whole, _, _ = runs
    before, after = (programs.tensors(whole, n) for n in (BOUNDARY, 10))
    assert before.keys() == after.keys()
    differing = {k for k in before if before[k].shape != after[k].shape}
    positions = {name for name in differing if "optimizer" not in name}
    # A table of relative positions, one of absolute ones; two moments each.
    assert len(positions) == 2
    assert len(differing) == 3 * len(positions)
    shapes = {after[name].shape for name in positions}
    assert shapes == {(15 * 19 + 3, 3), (1, 81, 24)}


def test_the_newest_checkpoint_always_loads_as_the_model_it_is_of(runs):
    _, parts, loaded = runs
    for steps, model in loaded.items():
        is_first = steps <= BOUNDARY
        size = (24, 24) if is_first else (32, 40)
        assert model.backbone.image_size == size, steps
        assert model.mask_ratio == (0.5 if is_first else 0.6)
        weights = programs.tensors(parts, steps)
        (name,) = [n for n in weights if n.startswith("model/head/kernel")]
        np.testing.assert_array_equal(model.head.kernel, weights[name])


def test_metrics_schedule_and_stream_go_on_over_the_boundary(runs):
    whole, _, _ = runs
    rows = programs.rows(whole)
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert all("validation_loss" in row for row in rows)
    rates = [row["learning_rate"] for row in rows[:2]]
    # Warm-up over nine steps, in a line, past the boundary.
    assert rates[1] - rates[0] == pytest.approx(4 / 9 * 3.125e-4, rel=0.01)
    folder = whole / "checkpoints" / "step-00000010"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["metadata"]["phase"] == {
        "number": 1,
        "first_step": BOUNDARY,
        "image_size": [32, 40],
        "mask_ratio": 0.6,
        "mask_patch_size": 8,
    }


def test_a_run_is_evaluated_at_the_size_of_its_newest_checkpoint(runs):
    whole, _, _ = runs
    result = programs.run("evaluate.py", f"--workdir={whole}")
    assert result.returncode == 0, result.stderr
    report = json.loads((whole / "evaluation.json").read_text())
    assert report["step"] == LAST
    logged = programs.rows(whole)[-1]["validation_loss"]
    assert report["validation_loss"] == pytest.approx(logged, rel=1e-5)


def test_a_single_phase_equals_no_schedule_bit_for_bit(tmp_path):
    plain, scheduled = tmp_path / "plain", tmp_path / "scheduled"
    programs.pretrain(plain, "--train_steps=4")
    programs.pretrain(
        scheduled,
        "--train_steps=4",
        "--image_size=64",
        "--image_size_schedule=32@0,32@0.02",
        "--mask_ratio_schedule=0.6@0",
        "--mask_patch_size_schedule=8@0,8@0.03",
    )
    programs.assert_same_state(plain, scheduled, 4)
    assert programs.rows(plain) == programs.rows(scheduled)


def test_a_killed_run_loads_and_ends_bit_for_bit(runs, tmp_path):
    """Killed as soon as the checkpoint of the boundary is there."""
    whole, _, _ = runs
    workdir = tmp_path / "run"
    arguments = (*programs.TINY, *FLAGS, f"--train_steps={LAST}")
    process = programs.start("pretrain.py", *arguments, f"--workdir={workdir}")
    deadline = time.monotonic() + 300
    while not (workdir / "checkpoints" / f"step-{BOUNDARY:08d}").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    newest = int(programs.checkpoints(workdir)[-1].rpartition("-")[2])
    model = training.load_pretrained(workdir)
    size = (24, 24) if newest <= BOUNDARY else (32, 40)
    assert model.backbone.image_size == size
    programs.pretrain(workdir, *FLAGS, f"--train_steps={LAST}")
    programs.assert_same_state(whole, workdir, LAST)
    assert programs.rows(workdir) == programs.rows(whole)


def test_three_phases_stopped_in_each_end_bit_for_bit(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    flags = (
        "--image_size_schedule=24@0,32@0.08",
        "--mask_ratio_schedule=0.5@0,0.6@0.12",
        "--mask_patch_size_schedule=4@0,8@0.12",
        "--optimizer=lamb",
    )
    programs.pretrain(whole, *flags, "--train_steps=14")
    for steps in (3, 9, 14):
        programs.pretrain(parts, *flags, f"--train_steps={steps}")
    programs.assert_same_state(whole, parts, 14)
    kept = {row["step"]: row for row in programs.rows(parts)}
    for row in programs.rows(whole):
        assert kept[row["step"]] == row


def test_replicas_change_their_phase_together(runs, tmp_path):
    whole, _, _ = runs
    programs.pretrain(
        tmp_path,
        *FLAGS,
        f"--train_steps={LAST}",
        "--strategy=mirrored",
        "--num_cpu_replicas=2",
    )
    want, got = programs.rows(whole), programs.rows(tmp_path)
    for one, other in zip(want, got, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)


def test_workers_change_their_phase_together_and_go_on_in_the_second(
    runs, tmp_path
):
    whole, _, _ = runs
    workdir = tmp_path / "run"
    for steps in (9, LAST):  # after the boundary
        cluster.pretrain(workdir, *FLAGS, f"--train_steps={steps}")
    got = {row["step"]: row for row in programs.rows(workdir)}
    for row in programs.rows(whole):
        assert got[row["step"]]["loss"] == pytest.approx(row["loss"], rel=1e-5)


def test_several_steps_an_execution_change_no_more_than_rounding(
    runs, tmp_path
):
    whole, _, _ = runs
    programs.pretrain(
        tmp_path,
        *(*FLAGS, f"--train_steps={LAST}"),
        # Divides neither phase.
        "--steps_per_execution=4",
    )
    wanted = programs.tensors(whole, LAST)
    for name, array in programs.tensors(tmp_path, LAST).items():
        # Metrics are reset at other steps.
        if name.startswith(("model/backbone", "model/head", "optimizer")):
            np.testing.assert_allclose(
                array, wanted[name], rtol=0, atol=1e-6, err_msg=name
            )


def test_data_servers_change_their_phase_too(runs, tmp_path):
    whole, _, _ = runs
    with cluster.data_server(tmp_path / "server.stderr") as address:
        programs.pretrain(
            tmp_path / "run",
            *(*FLAGS, f"--train_steps={LAST}"),
            f"--data_service={address}",
        )
    programs.assert_same_state(whole, tmp_path / "run", LAST)
    assert programs.rows(tmp_path / "run") == programs.rows(whole)
