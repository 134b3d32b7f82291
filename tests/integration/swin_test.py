"""A Swin through the programs: pretrained, resumed, evaluated, loaded."""

import json

import numpy as np
import pytest

from tests.integration import programs
from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import training

pytestmark = pytest.mark.slow

# Flags of the tiny ViT that say what network it is.
_VIT = ("--backbone", "--embed_dim", "--depth", "--absolute", "--relative")
TINY = (
    *(flag for flag in programs.TINY if not flag.startswith(_VIT)),
    "--backbone=swin_tiny",
    "--patch_size=2",
    "--embed_dim=8",
    "--depths=2,1",
    "--num_heads=2,4",
    "--window_size=4",
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
    workdir = tmp_path_factory.mktemp("swin") / "run"
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
        assert set(scores) == {"0", "1", "2"}
        assert all(0.1 < x["accuracy"] <= 1 for x in scores.values())


def test_the_pretrained_swin_loads_and_goes_to_another_size(run):
    swin = training.load_pretrained(run).backbone
    assert isinstance(swin, backbones.Swin)
    assert (swin.depths, swin.window_size) == ((2, 1), (4, 4))
    saved = programs.tensors(run, 6)
    (name,) = [
        name for name in saved if name.startswith("model/backbone/mask_token/")
    ]
    np.testing.assert_array_equal(swin.mask_token.mask_token, saved[name])

    larger = backbones.Swin(
        **{**swin.get_config(), "image_size": (48, 64), "window_size": (6, 8)}
    )
    convert.transfer_weights(swin, larger)
    features = larger(np.zeros([2, 48, 64, 1], np.float32))
    assert features.shape == (2, 12, 16, 16)


def test_a_flag_of_a_vit_is_refused_in_one_sentence(tmp_path):
    result = programs.run(
        "pretrain.py", *TINY, "--depth=3", f"--workdir={tmp_path / 'run'}"
    )
    assert result.returncode != 0
    assert "is a Swin, which takes --patch_size" in result.stderr
    assert "Received: --depth." in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run" / "flags.txt").exists()
