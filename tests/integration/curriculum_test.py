"""Runs whose image size and mask change: stopped, and gone on with."""

import json

import numpy as np
import pytest

from tests.integration import cluster
from tests.integration import programs
from tf_simmim import training

# Every program takes a start of TensorFlow and more than one trace.
pytestmark = pytest.mark.slow

# An epoch has 89 steps: the phases begin at 0, after 7 and after 11 of them.
FLAGS = (
    "--image_size_schedule=24@0,32x40@0.08",
    "--mask_ratio_schedule=0.5@0,0.6@0.08",
    "--mask_patch_size_schedule=4@0,8@0.12",
    "--absolute_position=learned",  # resampled, as are the relative ones
    "--depth=1",
    "--keep_checkpoints=99",
    "--train_steps=14",
)
BOUNDARY = 7
MIDDLE = 10  # of the second phase
LAST = 14


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    programs.pretrain(workdir, *FLAGS)
    return workdir


def assert_near(workdir, whole):
    """Compares the losses of two runs."""
    rows, wanted_rows = programs.rows(workdir), programs.rows(whole)
    for row, wanted_row in zip(rows, wanted_rows, strict=True):
        for name in ("loss", "validation_loss"):
            assert row[name] == pytest.approx(wanted_row[name], rel=1e-5)


def test_a_run_stopped_at_the_boundary_ends_bit_for_bit(whole, tmp_path):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole, workdir, BOUNDARY)
    result = programs.pretrain(workdir, *FLAGS)
    assert f"from step {BOUNDARY}." in result.stderr
    for later in (MIDDLE, 11, LAST):
        programs.assert_same_state(whole, workdir, later)
    assert programs.rows(workdir) == programs.rows(whole)


def test_weights_and_moments_change_their_shape_once(whole):
    before, after, last = (
        programs.tensors(whole, n) for n in (BOUNDARY, MIDDLE, LAST)
    )
    assert before.keys() == after.keys() == last.keys()
    differing = {k for k in before if before[k].shape != after[k].shape}
    positions = {name for name in differing if "optimizer" not in name}
    # A table of relative positions, one of absolute ones; two moments each.
    assert len(positions) == 2
    assert len(differing) == 3 * len(positions)
    shapes = {after[name].shape for name in positions}
    assert shapes == {(15 * 19 + 3, 3), (1, 81, 24)}
    assert all(after[name].shape == last[name].shape for name in last)


@pytest.mark.parametrize(
    "step, image_size, mask_ratio, mask_patch_size",
    [
        (BOUNDARY, (24, 24), 0.5, 4),
        (MIDDLE, (32, 40), 0.6, 4),
        (LAST, (32, 40), 0.6, 8),
    ],
)
def test_the_newest_checkpoint_always_loads_as_the_model_it_is_of(
    whole, tmp_path, step, image_size, mask_ratio, mask_patch_size
):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole, workdir, step)
    model = training.load_pretrained(workdir)
    assert model.backbone.image_size == image_size
    assert model.mask_ratio == mask_ratio
    assert model.mask_patch_size == mask_patch_size
    weights = programs.tensors(whole, step)
    (name,) = [n for n in weights if n.startswith("model/head/kernel")]
    np.testing.assert_array_equal(model.head.kernel, weights[name])


def test_metrics_schedule_and_stream_go_on_over_the_boundary(whole):
    rows = programs.rows(whole)
    assert [row["step"] for row in rows] == [4, 8, 12, LAST]
    assert all("validation_loss" in row for row in rows)
    rates = [row["learning_rate"] for row in rows[:2]]
    # Warm-up over nine steps, in a line, past the boundary.
    assert rates[1] - rates[0] == pytest.approx(4 / 9 * 3.125e-4, rel=0.01)
    folder = whole / "checkpoints" / f"step-{MIDDLE:08d}"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["metadata"]["phase"] == {
        "number": 1,
        "first_step": BOUNDARY,
        "image_size": [32, 40],
        "mask_ratio": 0.6,
        "mask_patch_size": 4,
    }


def test_a_run_is_evaluated_at_the_size_of_its_newest_checkpoint(whole):
    result = programs.run(
        "evaluate.py", f"--workdir={whole}", "--protocols=knn"
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((whole / "evaluation.json").read_text())
    assert report["step"] == LAST
    logged = programs.rows(whole)[-1]["validation_loss"]
    assert report["validation_loss"] == pytest.approx(logged, rel=1e-5)


def test_a_single_phase_equals_no_schedule_bit_for_bit(tmp_path):
    plain, scheduled = tmp_path / "plain", tmp_path / "scheduled"
    short = ("--train_steps=4", "--depth=1", "--validation_split=")
    programs.pretrain(plain, *short)
    programs.pretrain(
        scheduled,
        *short,
        "--image_size=64",
        "--image_size_schedule=32@0,32@0.02",
        "--mask_ratio_schedule=0.6@0",
        "--mask_patch_size_schedule=8@0,8@0.03",
    )
    programs.assert_same_state(plain, scheduled, 4)
    assert programs.rows(plain) == programs.rows(scheduled)


def test_replicas_change_their_phase_together(whole, tmp_path):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole, workdir, MIDDLE)
    result = programs.pretrain(
        workdir, *FLAGS, "--strategy=mirrored", "--num_cpu_replicas=2"
    )
    assert "run on 1 replicas, and there are 2 now" in result.stderr
    assert_near(workdir, whole)


def test_workers_go_on_in_a_later_phase_and_change_it_together(whole, tmp_path):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole, workdir, MIDDLE)
    cluster.pretrain(workdir, *FLAGS)
    assert f"from step {MIDDLE}." in cluster.log(workdir, 0)
    assert_near(workdir, whole)


def test_several_steps_an_execution_change_no_more_than_rounding(
    whole, tmp_path
):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole, workdir, BOUNDARY)
    # Does not divide the three steps of the last phase.
    programs.pretrain(workdir, *FLAGS, "--steps_per_execution=4")
    wanted = programs.tensors(whole, LAST)
    for name, array in programs.tensors(workdir, LAST).items():
        # Metrics are reset at other steps.
        if name.startswith(("model/backbone", "model/head", "optimizer")):
            np.testing.assert_allclose(
                array, wanted[name], rtol=0, atol=1e-6, err_msg=name
            )


def test_data_servers_go_on_in_a_later_phase_and_change_it_bit_for_bit(
    whole, tmp_path
):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole, workdir, MIDDLE)
    with cluster.data_server(tmp_path / "server.stderr") as address:
        result = programs.pretrain(workdir, *FLAGS, f"--data_service={address}")
    assert f"from step {MIDDLE}." in result.stderr
    for later in (11, LAST):
        programs.assert_same_state(whole, workdir, later)
    assert programs.rows(workdir) == programs.rows(whole)
