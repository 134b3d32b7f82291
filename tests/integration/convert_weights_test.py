"""experiments/convert_weights.py as a user runs it."""

import json

import numpy as np
import pytest

from tests.convert import golden_weights
from tests.integration import programs
from tf_simmim import convert
from tf_simmim import training
from tf_simmim.run.settings import as_text

PROGRAM = "convert_weights.py"


@pytest.fixture
def swin_file(tmp_path):
    weights, _, _ = golden_weights.load("simmim_swin")
    path = tmp_path / "in.safetensors"
    convert.write_safetensors(path, weights)
    return path


def run(*arguments):
    result = programs.run(PROGRAM, *map(str, arguments))
    assert "Traceback" not in result.stderr
    return result


def test_a_line_that_names_no_two_files_is_refused(tmp_path):
    result = run(tmp_path, "--keep_head")
    assert result.returncode == 1
    assert result.stderr.strip().endswith(f"IN OUT. Received: {tmp_path}.")


@pytest.mark.slow
def test_there_and_back_is_the_same_file(swin_file, tmp_path):
    folder = tmp_path / "swin"
    result = run(swin_file, folder)
    assert result.returncode == 0, result.stderr
    assert "109 names used, of SimMIM's reference." in result.stdout
    assert "A SimMIM for 96x96 px" in result.stdout
    report = json.loads((folder / "conversion.json").read_text())
    assert len(report["used"]) == 109
    assert report["source"] == str(swin_file)

    back = tmp_path / "back.safetensors"
    result = run(folder, back)
    assert result.returncode == 0, result.stderr
    assert "109 names, 296,430 weights" in result.stdout
    assert back.read_bytes() == swin_file.read_bytes()
    encoder = tmp_path / "encoder.safetensors"
    assert run(folder, encoder, "--encoder_only").returncode == 0
    names = convert.read_safetensors(encoder).keys()
    assert len(names) == 107 and "norm.bias" in names

    result = run(swin_file, folder)
    assert result.returncode == 1
    assert "must be a folder that does not exist yet" in result.stderr


@pytest.mark.slow
def test_the_folder_is_taken_by_evaluate(swin_file, tmp_path):
    folder = tmp_path / "swin"
    assert run(swin_file, folder).returncode == 0
    result = programs.run(
        "evaluate.py",
        f"--workdir={folder}",
        "--dataset=builtin:digits",
        "--num_validation_images=40",
        "--num_probe_images=100",
        "--protocols=knn",
        "--blocks=0",
    )
    assert result.returncode == 0, result.stderr
    assert (folder / "evaluation.json").is_file()


@pytest.mark.slow
def test_the_folder_is_taken_by_finetune(swin_file, tmp_path):
    folder, workdir = tmp_path / "swin", tmp_path / "run"
    assert run(swin_file, folder).returncode == 0
    told = json.loads((folder / "run.json").read_text())
    assert told["kind"] == "converted weights"
    config = told["model"]["config"]["backbone"]["config"]
    of_network = ("embed_dim", "depths", "num_heads", "window_size")
    of_network += ("image_size", "channels")
    result = programs.run(
        "finetune.py",
        "--backbone=swin_tiny",
        *(f"--{name}={as_text(config[name])}" for name in of_network),
        f"--pretrained={folder}",
        f"--workdir={workdir}",
        "--dataset=builtin:digits",
        "--num_labels=40",
        "--global_batch_size=8",
        "--rand_augment_operations=0",
        # The first step has a rate of nothing.
        "--train_steps=1",
        "--warmup_epochs=1",
        "--warmup_learning_rate=0",
        "--num_validation_images=40",
        "--checkpoint_every_steps=1",
    )
    assert result.returncode == 0, result.stderr
    assert "weights copied" in result.stderr
    want, got = programs.tensors(folder, 0), programs.tensors(workdir, 1)
    names = [n for n in want if n.startswith("model/backbone/") and n in got]
    assert len(names) > 50
    for name in names:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)


@pytest.mark.slow
def test_a_fine_tuned_model_keeps_its_head_if_told_so(tmp_path):
    weights, _, _ = golden_weights.load("classifier_vit")
    path = tmp_path / "in.safetensors"
    convert.write_safetensors(path, weights)
    result = run(path, tmp_path / "model", "--keep_head")
    assert result.returncode == 0, result.stderr
    assert "A Classifier for" in result.stdout
    back = tmp_path / "back.safetensors"
    assert run(tmp_path / "model", back).returncode == 0
    assert back.read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_flags_say_what_weights_do_not(swin_file, tmp_path):
    weights = {
        f"{start}.{name}": array
        for name, array in convert.read_safetensors(swin_file).items()
        for start in ("student", "teacher")
    }
    weights["strange"] = weights["teacher.encoder.norm.bias"]
    path = tmp_path / "strange.safetensors"
    convert.write_safetensors(path, weights)
    result = run(path, tmp_path / "model")
    assert result.returncode == 1
    assert "under 'student.encoder.', 'teacher.encoder.'" in result.stderr
    prefix = "--prefix=teacher"
    result = run(path, tmp_path / "model", prefix)
    assert result.returncode == 1
    assert "No place for: ['strange']" in result.stderr
    result = run(
        path,
        tmp_path / "model",
        prefix,
        "--allow_unused=str*",
        "--epsilon=1e-6",
        "--image_size=96",
        "--window_size=6,6",
    )
    assert result.returncode == 0, result.stderr
    assert "strange: allowed by name" in result.stdout
    assert "under 'teacher.encoder.', which was taken off" in result.stdout
    backbone = training.load_pretrained(tmp_path / "model").backbone
    assert backbone.epsilon == 1e-6

    result = run(path, tmp_path / "other", prefix, "--image_size=128")
    assert result.returncode == 1
    assert "`image_size` must be one whose maps" in result.stderr
    result = run(path, tmp_path / "other", "--depth=3", "--crop_scale=1,1")
    assert result.returncode == 1
    assert "change nothing here. Received: --crop_scale, --depth" in (
        result.stderr
    )
