"""Segmentation as a user runs it: from other weights, resumed, shared."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.integration import cluster
from tests.integration import programs
from tests.integration import readme_test
from tests.integration import strategies_test
from tests.integration import tiny_swin
from tf_simmim import models
from tf_simmim import training

TINY = (
    *tiny_swin.FLAGS,
    "--dataset=builtin:digit_scenes",
    "--validation_split=test",
    "--pyramid_width=8",
    "--global_batch_size=8",
    "--warmup_epochs=0.01",
    "--warmup_learning_rate=0",
    "--train_epochs=0.05",
    "--log_every_steps=4",
    "--validate_every_steps=8",
    "--checkpoint_every_steps=6",
    "--num_validation_images=16",
    "--num_drawn=3",
)


def segment(workdir, *arguments):
    result = programs.run(
        "segment.py", *TINY, f"--workdir={workdir}", *arguments
    )
    assert result.returncode == 0, result.stderr
    return result


def evaluation(workdir):
    return json.loads((workdir / "evaluation.json").read_text())


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    return tiny_swin.write(tmp_path_factory.mktemp("pretrained") / "run")


@pytest.fixture(scope="module")
def whole(pretrained, tmp_path_factory):
    """A run of 12 steps that has a checkpoint of each."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    result = segment(
        workdir,
        f"--pretrained={pretrained}",
        "--train_steps=12",
        "--checkpoint_every_steps=1",
        "--keep_checkpoints=99",
    )
    return workdir, result


@pytest.mark.slow
def test_a_run_leaves_scores_for_each_class_and_a_picture(whole):
    workdir, result = whole
    found = evaluation(workdir)
    assert found["step"] == 12
    assert found["num_pixels"] == 512 * 64 * 64
    assert np.sum(found["counts"]) == found["num_pixels"]
    assert [row["name"] for row in found["classes"]][:2] == [
        *("background", "digit 0")
    ]
    assert f"mean IoU {found['mean_iou']:.4f}" in result.stdout
    with Image.open(workdir / "predictions.png") as picture:
        assert picture.size[0] > 3 * 128
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    row = json.loads(lines[-1])
    assert {"validation_loss", "validation_mean_iou"} <= row.keys()
    model = training.load_pretrained(workdir)
    assert isinstance(model, models.Segmenter)


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_another(pretrained, whole):
    want = programs.tensors(pretrained, 0)
    # The first step has a rate of nothing.
    got, moved = (programs.tensors(whole[0], step) for step in (1, 12))
    names = [n for n in want if n.startswith("model/backbone/") and n in got]
    assert any("patch_embedding" in name for name in names)
    for name in names:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)
    assert any(np.any(moved[name] != want[name]) for name in names)


@pytest.mark.slow
def test_two_workers_learn_like_one_device(pretrained, whole, tmp_path):
    workdir = tmp_path / "run"
    words = (f"--pretrained={pretrained}", "--train_steps=12")
    cluster.run("segment.py", workdir, *TINY, *words)
    strategies_test.assert_close_weights(workdir, whole[0], 12)
    assert evaluation(workdir)["mean_iou"] == pytest.approx(
        evaluation(whole[0])["mean_iou"], abs=1e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "words, message",
    [
        (["--dataset=builtin:digits"], "must have classes"),
        (["--mixup_alpha=1"], "Unknown command line flag 'mixup_alpha'"),
        (["--dataset=segmentation:nowhere"], "needs a folder of images, and"),
    ],
)
def test_a_mistake_is_one_sentence(words, message, tmp_path):
    result = programs.run(
        "segment.py", *TINY, f"--workdir={tmp_path / 'run'}", *words
    )
    assert result.returncode
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_the_script_of_the_page_runs_for_some_steps(tmp_path):
    check = """
assert logits.shape == (16, 128, 128, 11)
assert model.optimizer.iterations == 4
"""
    readme_test.run_script(
        "docs/segmentation.md",
        check,
        tmp_path,
        ("steps_per_epoch=100", "steps_per_epoch=4"),
        ("depths=(2, 2, 2)", "depths=(1, 1, 1)"),
    )
