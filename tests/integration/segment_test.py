"""Segmentation as a user runs it: from scratch, resumed, from a run."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.integration import programs
from tf_simmim import models
from tf_simmim import training

NETWORK = (
    "--backbone=swin_tiny",
    "--embed_dim=8",
    "--depths=1,1",
    "--num_heads=1,2",
    "--window_size=4",
    "--image_size=64",
    "--drop_path_rate=0.2",
)
TINY = (
    *NETWORK,
    "--dataset=builtin:digit_scenes",
    "--validation_split=test",
    "--pyramid_width=8",
    "--global_batch_size=8",
    "--warmup_epochs=0.01",
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
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole") / "run"
    return workdir, segment(workdir, "--train_steps=12")


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
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(
    whole, tmp_path
):
    workdir = tmp_path / "run"
    for steps in (7, 12):
        result = segment(workdir, f"--train_steps={steps}")
    assert "step 7" in result.stderr
    programs.assert_same_state(whole[0], workdir, 12)
    assert evaluation(workdir) == evaluation(whole[0])


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_another(tmp_path):
    pretrained = tmp_path / "pretrained"
    result = programs.run(
        "pretrain.py",
        *NETWORK,
        *("--dataset=builtin:digit_scenes", "--mask_patch_size=16"),
        *("--global_batch_size=8", "--warmup_epochs=0", "--train_epochs=0.1"),
        *("--train_steps=2", "--num_validation_images=8"),
        *("--num_pictures=2", f"--workdir={pretrained}"),
    )
    assert result.returncode == 0, result.stderr
    workdir = tmp_path / "run"
    segment(
        *(workdir, f"--pretrained={pretrained}", "--train_steps=1"),
        *("--base_learning_rate=0", "--warmup_learning_rate=0"),
        *("--min_learning_rate=0", "--warmup_epochs=0"),
    )
    want, got = programs.tensors(pretrained, 2), programs.tensors(workdir, 1)
    names = [n for n in want if n.startswith("model/backbone/patch_embedding")]
    assert names
    for name in names:
        np.testing.assert_array_equal(got[name], want[name])


@pytest.mark.slow
@pytest.mark.parametrize(
    "words, message",
    [
        (["--dataset=builtin:digits"], "must have classes"),
        (["--mixup_alpha=1"], "Unknown command line flag 'mixup_alpha'"),
        (["--dataset=segmentation:nowhere"], "needs the folders images"),
    ],
)
def test_a_mistake_is_one_sentence(words, message, tmp_path):
    result = programs.run(
        "segment.py", *TINY, f"--workdir={tmp_path / 'run'}", *words
    )
    assert result.returncode
    assert message in result.stderr
    assert "Traceback" not in result.stderr
