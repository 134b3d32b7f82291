"""A kind of model and a program for it, from outside the package.

What is new takes under 60 lines; all else is the library's.
"""

import json
import pathlib

import numpy as np
import pytest

from tests.extension import tell_brightness
from tests.integration import programs
from tests.integration import warm_interpreter
from tf_simmim import export
from tf_simmim import run
from tf_simmim import training

PROGRAM = pathlib.Path(tell_brightness.__file__)
FLAGS = (
    *("--dataset=builtin:digits", "--image_size=16,24", "--backbone=vit_nano"),
    *("--embed_dim=12", "--depth=1", "--patch_size=8", "--gain=2"),
    *("--global_batch_size=8", "--warmup_epochs=0.01", "--train_epochs=0.1"),
    *("--base_learning_rate=0.1", "--log_every_steps=1", "--seed=3"),
    *("--validate_every_steps=1", "--num_validation_images=16"),
)


def train(workdir, num_steps):
    arguments = [*FLAGS, f"--workdir={workdir}", f"--train_steps={num_steps}"]
    result = warm_interpreter.run([PROGRAM, *arguments], workdir.parent, 300)
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("extension") / "run"
    train(workdir, 3)
    return workdir


def test_it_takes_under_60_lines():
    lines = PROGRAM.read_text().splitlines()
    assert len([line for line in lines if line.strip()]) < 60


@pytest.mark.slow
def test_it_trains_goes_on_and_is_judged(workdir):
    whole = workdir.with_name("whole")
    train(whole, 5)
    result = train(workdir, 5)
    assert "from step 3." in result.stderr
    assert programs.rows(workdir) == programs.rows(whole)
    assert [row["step"] for row in programs.rows(workdir)] == [1, 2, 3, 4, 5]
    scores = json.loads((workdir / "evaluation.json").read_text())
    assert 0 < scores["loss"] < programs.rows(workdir)[0]["loss"]
    record = run.read_record(workdir)
    assert (record.kind, record.model.kind) == ("brightness", "brightness")
    assert record.settings["gain"] == 2
    refused = warm_interpreter.run(
        [PROGRAM, *FLAGS, f"--workdir={workdir}", "--gain=3"], workdir, 300
    )
    assert refused.returncode == 1
    assert "Then: --gain=2.0. Received: --gain=3.0" in refused.stderr


def test_it_opens_and_is_exported(workdir, tmp_path):
    model = training.load_pretrained(workdir)
    assert isinstance(model, tell_brightness.BrightnessTeller)
    assert model.gain == 2
    pixels = np.random.default_rng(0).integers(0, 256, [2, 16, 24, 1], np.uint8)
    path = export.export_run(workdir, tmp_path, max_batch_size=2, verify=False)
    answer = export.ServedModel(path).run(
        "features_from_pixels", {"pixels": pixels}
    )
    preprocessing = export.read_run(workdir)[1]
    features = model.backbone(preprocessing.normalization.normalize(pixels))
    np.testing.assert_allclose(
        answer["features"], features.numpy().mean((1, 2)), 0, 2e-5
    )
