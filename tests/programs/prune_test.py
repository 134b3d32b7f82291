"""Tests for programs/prune.py and programs/pruned_run.py."""

import dataclasses
import hashlib
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import small_models
from tests.integration import programs
from tests.programs import picture_run
from tf_simmim import models
from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim.compression import report_file
from tf_simmim.programs import pruned_run
from tf_simmim.programs import step_report

RUNS = pathlib.Path(__file__).parents[1] / "golden" / "runs" / "0.1.0"
RUN = RUNS / "finetune"


def digest(folder):
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run_program(*arguments):
    # Where tests of pretraining run too, --target is another flag.
    result = programs.run("prune.py", *arguments)
    assert result.returncode == 0, result.stderr
    return result


def require_refusal(message, *arguments):
    result = programs.run("prune.py", *arguments)
    assert result.returncode == 1
    assert re.search(message, result.stderr), result.stderr


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """Returns (folder of a pruned run, what was chosen, its report)."""
    before = digest(RUN)
    folder = tmp_path_factory.mktemp("runs") / "pruned"
    found, report = pruned_run.write(
        RUN, folder, num_images=40, target="params:0.6", budget="uniform"
    )
    assert digest(RUN) == before
    return folder, found, report


def test_the_pruned_run_opens_and_answers_as_the_pruned_model(pruned):
    folder, found, _ = pruned
    model = training.load_pretrained(folder)
    original = training.load_pretrained(RUN)
    assert model.count_params() <= 0.6 * original.count_params()
    images = np.random.default_rng(0).normal(size=[2, 32, 32, 1])
    images = images.astype(np.float32)
    np.testing.assert_array_equal(model(images), found.model(images))


def test_its_record_is_the_run_s_with_the_smaller_network(pruned):
    folder, found, _ = pruned
    before, record = (run_files.read_record(f) for f in (RUN, folder))
    assert record.kind == "pruning"
    assert record.input == before.input
    assert record.data == before.data
    config = record.model.config["backbone"]["config"]
    for part, name in (
        ("mlp", "mlp_dims"),
        ("query_key", "key_dims"),
        ("value", "value_dims"),
    ):
        assert config[name] == list(found.widths[part])
        assert record.settings[name] == list(found.widths[part])
    others = record.settings.keys() - {"mlp_dims", "key_dims", "value_dims"}
    assert others == before.settings.keys() - {"workdir", "name"}
    lines = (folder / "flags.txt").read_text().splitlines()
    widths = ",".join(map(str, found.widths["mlp"]))
    assert f"--mlp_dims={widths}" in lines


def test_its_report_is_beside_it(pruned):
    folder, found, report = pruned
    read = report_file.read_report(folder)
    assert read == report
    assert read.images == "builtin:digits, held-out"
    assert read.compressed.num_weights < read.original.num_weights
    assert read.selection["blocks"] == list(found.blocks)
    assert read.settings["target"] == "params:0.6"
    # What it was calibrated with, which compress.py says no more of.
    assert read.settings["images"] == "builtin:digits, training"
    assert read.settings["num_images"] == 40
    assert read.settings["seed"] == read.seed == 0


@pytest.mark.slow
def test_the_program_prunes_a_pruned_run_again(pruned):
    folder, found, _ = pruned
    printed = run_program(
        f"--run={folder}",
        "--target=flops:0.9",
        "--budget=uniform",
        "--num_calibration_images=20",
    )
    again = training.load_pretrained(folder / "pruned")
    assert again.count_params() < found.model.count_params()
    assert "hidden units of MLPs: " in printed.stdout
    assert f"Run: {folder / 'pruned'}" in printed.stdout
    assert "calibrating, step 1 of 3\n" in printed.stderr
    require_refusal("a folder that does not exist yet", f"--run={folder}")


@pytest.mark.slow
def test_what_cannot_be_pruned_is_refused_in_a_sentence(tmp_path):
    require_refusal("Name the folder of a run")
    require_refusal("params:SHARE", f"--run={RUN}", "--target=params:1.2")
    require_refusal(
        "must be params:0.* or more",
        f"--run={RUN}",
        f"--workdir={tmp_path / 'out'}",
        "--target=params:0.01",
        "--budget=uniform",
    )
    convolutional = models.Classifier(small_models.convolutional(), 3)
    picture_run.save(convolutional, tmp_path / "convolutional")
    require_refusal(
        "must be a ViT or a Swin",
        f"--run={tmp_path / 'convolutional'}",
        "--dataset=builtin:digits",
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_images_of_other_channels_are_refused(tmp_path):
    picture_run.create(tmp_path / "run", channels=2)
    require_refusal(
        "the model's 2 channels",
        f"--run={tmp_path / 'run'}",
        "--dataset=builtin:digits",
    )


def test_a_run_that_holds_nothing_out_is_measured_by_its_own_images(tmp_path):
    model = training.load_pretrained(RUN)
    record = run_files.read_record(RUN)
    nothing = dataclasses.replace(
        record, settings={**record.settings, "validation_split": ""}
    )
    training.write_model_folder(tmp_path / "run", model, record=nothing)
    _, report = pruned_run.write(
        tmp_path / "run",
        tmp_path / "out",
        num_images=30,
        target="flops:0.8",
        budget="uniform",
        parts=["mlp"],
    )
    assert report.images == "builtin:digits, training"
    assert report.num_images == 30
    # Other steps choose as this one does.
    images = step_report.open_images(nothing, model, 5)
    assert (images.name, images.train) == (report.images, None)


def test_what_cannot_be_measured_or_recovered_is_refused_before(
    monkeypatch, tmp_path
):
    model, record = training.load_pretrained(RUN), run_files.read_record(RUN)
    monkeypatch.setattr(training, "load_pretrained", lambda path: model)
    monkeypatch.setattr(pruned_run.pruning, "prune", lambda *_, **__: 1 / 0)
    options = {"num_images": 64, "target": "params:0.9"}
    with pytest.raises(
        ValueError, match="more than 64.*--num_calibration_images.*: 64 images"
    ):
        pruned_run.write(RUN, tmp_path / "out", recovery_epochs=1, **options)
    record.settings["validation_dataset"] = f"folder:{tmp_path / 'gone'}"
    monkeypatch.setattr(run_files, "read_record", lambda path: record)
    with pytest.raises(ValueError, match="gone"):
        pruned_run.write(RUN, tmp_path / "out", **options)


def test_weights_that_are_not_finite_are_named(tmp_path, monkeypatch):
    model = training.load_pretrained(RUN)
    bias = model.backbone.blocks[0].mlp.expand.bias
    bias.assign(tf.fill(bias.shape, np.nan))
    monkeypatch.setattr(training, "load_pretrained", lambda path: model)
    with pytest.raises(ValueError, match="at block_0/mlp_hidden"):
        pruned_run.write(
            RUN, tmp_path / "out", num_images=20, target="params:0.9"
        )
    assert not (tmp_path / "out").exists()
