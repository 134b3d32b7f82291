"""A ResNet through the programs: pretrained, resumed, evaluated, loaded."""

import json

import numpy as np
import pytest

from tests.integration import programs
from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import heads
from tf_simmim import training

pytestmark = pytest.mark.slow

# Flags of the tiny ViT that say what network it is.
_VIT = ("--backbone", "--embed_dim", "--depth", "--absolute", "--relative")
TINY = (
    *(flag for flag in programs.TINY if not flag.startswith(_VIT)),
    "--backbone=resnet18",
    "--depths=1,1",
    "--widths=8,16",
    "--masking=stem_token",
    "--head=cross_attention",
    "--checkpoint_every_steps=3",
)


def pretrain(workdir):
    result = programs.run(
        "pretrain.py", *TINY, f"--workdir={workdir}", "--train_steps=6"
    )
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 6 steps that has a checkpoint of every third."""
    workdir = tmp_path_factory.mktemp("resnet") / "run"
    pretrain(workdir)
    return workdir


def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(run, tmp_path):
    workdir = tmp_path / "run"
    programs.copy_as_killed(run, workdir, step=3)
    assert "from step 3." in pretrain(workdir).stderr
    programs.assert_same_state(run, workdir, 6)
    assert programs.rows(workdir) == programs.rows(run)


def test_evaluation_judges_every_block_of_every_width(run):
    result = programs.run("evaluate.py", f"--workdir={run}", "--protocols=knn")
    assert result.returncode == 0, result.stderr
    report = json.loads((run / "evaluation.json").read_text())
    assert report["step"] == 6
    for kind in ("pretrained", "untrained"):
        scores = report["protocols"]["knn"][kind]
        assert set(scores) == {"0", "1"}
        assert all(0.1 < x["accuracy"] <= 1 for x in scores.values())


def test_the_pretrained_network_loads_and_goes_to_another_size(run):
    model = training.load_pretrained(run)
    assert isinstance(model.head, heads.CrossAttentionHead)
    resnet = model.backbone
    assert (resnet.depths, resnet.widths) == ((1, 1), (8, 16))
    saved = programs.tensors(run, 6)
    (name,) = [
        name
        for name in saved
        if name.startswith("model/backbone/stem/") and "moving_mean" in name
    ]
    np.testing.assert_array_equal(resnet.stem.weights[-2], saved[name])
    assert np.abs(saved[name]).max() > 0

    larger = backbones.Convolutional(
        **{**resnet.get_config(), "image_size": (48, 64)}
    )
    convert.transfer_weights(resnet, larger)
    features = larger(np.zeros([2, 48, 64, 1], np.float32))
    assert features.shape == (2, 6, 8, 16)
    for ours, theirs in zip(larger.weights, resnet.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
