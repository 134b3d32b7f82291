"""Tests for tf_simmim.run.release_0_1; whole runs: tests/golden/runs_test."""

import json
import pathlib
import shutil

import pytest

from tf_simmim import run
from tf_simmim.run import release_0_1

RUNS = pathlib.Path(__file__).parents[1] / "golden" / "runs" / "0.1.0"


@pytest.mark.parametrize(
    "name, kind, model, size, mean, crop",
    [
        ("pretrain_vit", "pretraining", "simmim", (32, 32), 1, {}),
        ("pretrain_swin", "pretraining", "simmim", (64, 64), 1, {}),
        (
            *("finetune", "fine-tuning", "classifier", (32, 32), 1),
            {"name": "EvaluationCrop", "crop_fraction": 0.875},
        ),
        ("segment", "segmentation", "segmenter", (64, 64), 3, {}),
        ("detect", "detection", "detector", (64, 64), 3, {}),
        ("converted", "converted weights", "simmim", (32, 32), None, {}),
    ],
)
def test_a_run_of_0_1_0_is_as_if_it_had_a_record(
    name, kind, model, size, mean, crop
):
    record = run.read_record(RUNS / name)
    config = json.loads((RUNS / name / "model.json").read_text())
    assert (record.kind, record.model.kind) == (kind, model)
    assert record.model.config == config
    assert record.input.image_size == size
    means = {None: None, 1: (0.30911,), 3: (0.485, 0.456, 0.406)}
    assert record.input.mean == means[mean]
    assert record.input.crop == (crop or {"name": "ResizeAndCentreCrop"})
    if kind == "converted weights":
        assert record.data is None and record.seed is None
        assert record.settings["image_size"] == [32, 32]
        assert record.settings["class_token"] is True
    else:
        assert record.data.name.startswith("builtin:digit")
        assert record.seed == 0
        assert record.settings["jit_compile"] is False
        assert record.settings["checkpoint_every_steps"] == 3
        assert record.settings["milestone_epochs"] == ""
        assert record.settings["warmup_epochs"] == 0.01
    again = run.RunRecord.from_json(json.loads(json.dumps(record.as_json())))
    assert again == record


def test_settings_are_those_of_the_file_or_of_the_newest_checkpoint(tmp_path):
    assert run.read_settings(tmp_path / "nowhere") is None
    assert run.read_settings(tmp_path) is None

    def write(step, metadata):
        folder = tmp_path / f"checkpoints/step-{step:08d}"
        folder.mkdir(parents=True)
        manifest = {"step": step, "metadata": metadata}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    write(1, {})  # of before checkpoints knew them
    assert run.read_settings(tmp_path) == {}
    write(2, {"flags": "--seed=2\n--nohorizontal_flip\n"})
    assert run.read_settings(tmp_path) == {"seed": 2, "horizontal_flip": False}
    write(3, {"settings": {"seed": 3}})
    write(4, {})
    assert run.read_settings(tmp_path) == {"seed": 3}
    (tmp_path / "flags.txt").write_text("# mine\n\n--seed=4\n--image_std=.5\n")
    assert run.read_settings(tmp_path) == {"seed": 4, "image_std": ".5"}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"--seed=\xff\n", "must be text, a flag"),
        (b"word\n", "`line` must be --name=value. Received: 'word'"),
        (b"-seed=1\n", "`line` must be --name=value"),
        (b"--a=b\n" + b" " * (1 << 20), "more than 1048576 bytes"),
    ],
)
def test_other_files_are_refused(content, message, tmp_path):
    (tmp_path / "flags.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        run.read_settings(tmp_path)
    assert str(tmp_path / "flags.txt") in str(error.value)


@pytest.mark.parametrize("model", [b"{", b"\xff", b"[" * 100_000, None])
def test_a_damaged_model_is_that_of_the_newest_checkpoint(model, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(RUNS / "finetune", folder)
    whole = run.read_record(folder)
    (folder / "model.json").unlink()
    if model is not None:
        (folder / "model.json").write_bytes(model)
    assert run.read_record(folder) == whole
    for manifest in folder.glob("checkpoints/*/manifest.json"):
        manifest.write_bytes(b"[" * 100_000)
    with pytest.raises(ValueError, match="must hold a model.json"):
        run.read_record(folder)


@pytest.mark.parametrize("text", ["0.5", "0.1,0.2,much", ""])
def test_statistics_that_do_not_fit_are_refused(text, tmp_path):
    model = (RUNS / "converted" / "model.json").read_text()
    (tmp_path / "model.json").write_text(model)
    (tmp_path / "flags.txt").write_text(f"--image_mean={text}\n")
    with pytest.raises(ValueError, match="3 numbers for --image_mean. Rec"):
        run.read_record(tmp_path)


@pytest.mark.parametrize("document", [[], {"kind": "simmim"}, {"kind": 1}, 3])
def test_a_model_that_is_none_is_refused(document):
    with pytest.raises(ValueError, match="model.json that tf_simmim has wr"):
        release_0_1.model_record(document, "model.json")
