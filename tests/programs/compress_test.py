"""Tests for tf_simmim.programs.compress, from a run to files and pictures."""

import pathlib
import re
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.compression import small
from tests.integration import programs
from tf_simmim import backbones
from tf_simmim import export
from tf_simmim import models
from tf_simmim import run as run_files
from tf_simmim import training
from tf_simmim.compression import report_file
from tf_simmim.programs import compression_chain
from tf_simmim.programs import compression_results
from tf_simmim.programs import compression_steps
from tf_simmim.programs import quantise_step

RUNS = pathlib.Path(__file__).parents[1] / "golden" / "runs" / "0.1.0"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a classifier of digits whose every weight matters."""
    backbone = backbones.ViT(
        32, 8, embed_dim=12, depth=2, num_heads=3, channels=1
    )
    model = small.randomized(models.Classifier(backbone, 10), seed=0)
    record = run_files.RunRecord(
        kind="fine-tuning",
        model=run_files.ModelRecord.of(model),
        input=run_files.InputRecord((32, 32), 1, mean=(0.3,), std=(0.35,)),
        settings={"dataset": "builtin:digits"},
        seed=5,
    )
    folder = tmp_path_factory.mktemp("runs") / "finetuned"
    training.write_model_folder(folder, model, record=record)
    return folder


@pytest.mark.slow
def test_a_classifier_becomes_smaller_step_by_step(run, tmp_path):
    folder = tmp_path / "chain"
    words = (
        "compress.py",
        f"--run={run}",
        f"--chain_dir={folder}",
        "--step=prune target=params:0.7 images=32",
        "--step=prune target=params:0.8 images=32 max_kl=0",
        "--step=quantise images=16",
    )
    result = programs.run(*words)
    assert result.returncode == 0, result.stderr
    assert "2-prune: rolled back, as KL" in result.stdout
    assert f"Smallest: {folder / '3-quantise'}" in result.stdout
    table = (folder / "chain.txt").read_text()
    assert table in result.stdout
    names = [line.split()[0] for line in table.splitlines()[1:5]]
    assert names == ["original", "1-prune", "2-prune", "3-quantise"]
    for picture in (folder / "chain.png", folder / "1-prune/kept_widths.png"):
        assert np.asarray(Image.open(picture)).std() > 5

    original = training.load_pretrained(run)
    first, last = (
        report_file.read_report(folder / name)
        for name in ("1-prune", "3-quantise")
    )
    share = first.compressed.num_weights / first.original.num_weights
    assert 0.5 < share <= 0.7
    # Each is compared with the original, by the same images.
    assert first.original.num_weights == last.original.num_weights
    assert first.original.scores == pytest.approx(last.original.scores)
    assert last.compressed.num_weights == first.compressed.num_weights
    assert last.compressed.num_bytes < last.original.num_bytes
    assert last.agreement.kl < 0.2
    for name in ("1-prune", "3-quantise"):
        model = training.load_pretrained(folder / name)
        assert type(model) is type(original)
        assert model.backbone.count_params() < original.backbone.count_params()
        export.read_run(folder / name)
    assert {path.name for path in (folder / "3-quantise").iterdir()} == {
        "checkpoints",
        "compression.json",
        "environment.json",
        "flags.txt",
        "model.json",
        "run.json",
        "tflite",
    }
    (file,) = (folder / "3-quantise/tflite").iterdir()
    assert file.stat().st_size == last.compressed.num_bytes
    assert tf.lite.Interpreter(str(file)).get_signature_list()

    before = (folder / "1-prune/compression.json").read_bytes()
    again = programs.run(*words)
    assert again.returncode == 0, again.stderr
    assert "Step " not in again.stdout
    assert (folder / "1-prune/compression.json").read_bytes() == before


@pytest.mark.slow
def test_what_cannot_be_done_is_one_sentence(run, tmp_path):
    for words, message in (
        (["--step=prune target=params:1.5"], "Error: .*target.*1.5"),
        (["--step=shrink"], "Error: A step must begin with one of"),
        ([], "Error: Name the steps"),
        (["--dataset=builtin:digits"], "Error: Leave --dataset out"),
    ):
        result = programs.run(
            "compress.py", f"--run={run}", f"--chain_dir={tmp_path}", *words
        )
        assert result.returncode == 1
        lines = result.stderr.strip().splitlines()
        assert re.search(message, lines[-1]), lines[-1]


def test_a_table_says_what_is_unknown_and_which_part_files_are_of(tmp_path):
    outcome = compression_chain.Outcome(
        "1-prune",
        compression_steps.parse("prune"),
        None,
        "as its numbers are not finite",
        None,
    )
    network = mock.Mock(num_weights=1234, num_bytes=5000)
    with mock.patch.object(
        compression_results, "_network", return_value=network
    ):
        texts = [
            compression_results.write(RUNS / name, tmp_path, [outcome])
            for name in ("detect", "finetune")
        ]
    lines = texts[0].splitlines()
    assert lines[1].split()[:6] == ["original", "-", "0.00000", "1,234"] + [
        "5.00",
        "kB",
    ]
    assert lines[2].split() == ["1-prune", "(rolled", "back)"] + ["-"] * 6
    assert lines[4] == "1-prune: rolled back, as its numbers are not finite."
    assert ["features alone" in text for text in texts] == [True, False]


def test_a_detector_cannot_be_quantised(tmp_path):
    detector = RUNS / "detect"
    with pytest.raises(ValueError, match="of a detector.*features only"):
        quantise_step.run(
            detector, detector, tmp_path / "out", quantise_step.OPTIONS
        )
    assert not (tmp_path / "out").exists()
