"""Runs and exports of every release: this version opens them and goes on.

What they are, and how they were made: `runs/README.md`.
"""

import functools
import json
import pathlib
import shutil

import numpy as np
import pytest

from tests.integration import programs
from tf_simmim import export
from tf_simmim import models
from tf_simmim import training
from tf_simmim.export import manifest

RELEASES = sorted((pathlib.Path(__file__).parent / "runs").glob("*/"))
RUNS = [
    pytest.param(path.parent, id=f"{release.name}-{path.parent.name}")
    for release in RELEASES
    for path in sorted(release.glob("*/model.json"))
]
TRAINED = [run for run in RUNS if (run.values[0] / "wanted").exists()]
# Another processor or TensorFlow rounds differently.
OTHER_ROUNDING = 1e-3  # relative
# Flags of what --pretrained is.
NETWORK = {
    *("backbone", "embed_dim", "depth", "depths", "num_heads", "window_size"),
    *("image_size", "channels", "absolute_position", "relative_position"),
}


def program_of(run):
    """Returns the file name of the program that a run is of."""
    told = json.loads((run / "environment.json").read_text())
    return pathlib.Path(told["command_line"][0]).name


def is_of_this_environment(run):
    """Whether this process rounds as the one that wrote a run's checkpoint."""
    (file,) = run.glob("checkpoints/*/manifest.json")
    then, now = (
        {
            name: value
            for name, value in fingerprint.items()
            if name not in ("tf_simmim", "python", "pillow")
        }
        for fingerprint in (
            json.loads(file.read_text())["fingerprint"],
            training.fingerprint(),
        )
    )
    return then == now


def images_for(backbone):
    """Returns float32 [2, H, W, C]: those that features.npz is of."""
    shape = (2, *backbone.image_size, backbone.channels)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("run", RUNS)
def test_the_model_of_a_run_opens_with_its_weights(run):
    backbone = training.load_pretrained(run).backbone
    got = backbone(images_for(backbone))
    with np.load(run.parent / "features.npz") as archive:
        want = archive[f"{run.name}/features"]
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_an_export_is_whole_and_answers_as_then(release):
    (folder,) = (release / "export").iterdir()
    assert manifest.problems(folder, manifest.read(folder)) == []
    with np.load(release / "answers.npz") as archive:
        pixels, want = archive["pixels"], archive["features"]
    answer = export.ServedModel(folder).run(
        "features_from_pixels", {"pixels": pixels}
    )
    np.testing.assert_allclose(answer["features"], want, 0, 2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("run", TRAINED)
def test_a_run_goes_on_and_is_judged_as_it_would_have_been(run, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(run, workdir)
    result = programs.run(
        program_of(run),
        f"--flagfile={workdir / 'flags.txt'}",
        f"--workdir={workdir}",
    )
    assert result.returncode == 0, result.stderr
    assert "from step 3." in result.stderr
    if (run / "wanted" / "evaluation.json").exists() and (
        program_of(run) == "pretrain.py"
    ):
        result = programs.run(
            "evaluate.py",
            f"--workdir={workdir}",
            "--blocks=0",
            "--protocols=knn,linear",
            "--num_probe_images=100",
            "--num_validation_images=50",
        )
        assert result.returncode == 0, result.stderr
    is_exact = is_of_this_environment(run)
    approx = functools.partial(
        pytest.approx, rel=0 if is_exact else OTHER_ROUNDING, abs=0
    )
    rows, wanted_rows = map(programs.rows, (workdir, run / "wanted"))
    assert len(rows) == len(wanted_rows) == 6
    for row, wanted_row in zip(rows, wanted_rows, strict=True):
        assert row == approx(wanted_row)
    for path in (run / "wanted").glob("*.json"):
        wanted, got = (
            json.loads(file.read_text()) for file in (path, workdir / path.name)
        )
        assert wanted["step"] == got["step"] == 6
        names = wanted if is_exact else wanted.keys() & {"loss", "top_1"}
        for name in names:
            same = wanted[name] if is_exact else approx(wanted[name])
            assert got[name] == same, name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pretrain_vit", "pretrain_swin", "converted"])
@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_fine_tuning_begins_with_it(release, name, tmp_path):
    flags = (release / name / "flags.txt").read_text().splitlines()
    result = programs.run(
        "finetune.py",
        f"--pretrained={release / name}",
        "--dataset=builtin:digits",
        "--num_labels=40",
        "--train_steps=1",
        "--global_batch_size=8",
        "--num_validation_images=24",
        f"--workdir={tmp_path}",
        *(f for f in flags if f[2:].partition("=")[0] in NETWORK),
    )
    assert result.returncode == 0, result.stderr
    assert "weights copied" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_a_run_can_be_exported(run, tmp_path):
    model, preprocessing, _ = export.read_run(run)
    pixels = np.round(255 * np.abs(np.sin(images_for(model.backbone))))
    path = export.export_run(run, tmp_path, max_batch_size=2, verify=False)
    answer = export.ServedModel(path).run(
        "features_from_pixels", {"pixels": pixels}
    )
    images = preprocessing.normalization.normalize(pixels)
    features = model.backbone(images)
    if isinstance(model, models.Classifier):
        want = model.head.pool(features)
    else:
        want = features.numpy().mean((1, 2))
    np.testing.assert_allclose(answer["features"], want, 0, 2e-5)
