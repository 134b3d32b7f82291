"""Precision, XLA and accumulation through the programs."""

import json

import pytest

from tests.integration import programs
from tf_simmim import training

pytestmark = pytest.mark.slow

OPTIONS = (
    *("--jit_compile", "--accumulation_steps=2", "--depth=1"),
    *("--train_steps=6", "--checkpoint_every_steps=3"),
)


@pytest.fixture(scope="module", params=["bfloat16", "float16"])
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def whole(precision, tmp_path_factory):
    workdir = tmp_path_factory.mktemp(precision)
    programs.pretrain(workdir, *OPTIONS, f"--precision={precision}")
    return workdir


def test_a_run_in_low_precision_resumes_exactly(whole, precision, tmp_path):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole, workdir, 3)
    result = programs.pretrain(workdir, *OPTIONS, f"--precision={precision}")
    assert "from step 3." in result.stderr
    programs.assert_same_state(whole, workdir, 6)
    assert programs.rows(workdir) == programs.rows(whole)
    has_loss_scale = any(
        "loss_scale" in name for name in programs.tensors(whole, 6)
    )
    assert has_loss_scale == (precision == "float16")


def test_a_run_in_low_precision_is_evaluated_in_any(whole, precision):
    losses = []
    for used in (precision, "float32"):
        result = programs.run(
            "evaluate.py",
            f"--workdir={whole}",
            f"--precision={used}",
            "--protocols=knn",
            "--num_probe_images=100",
        )
        assert result.returncode == 0, result.stderr
        report = json.loads((whole / "evaluation.json").read_text())
        losses.append(report["validation_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert losses[0] != losses[1]
    model = training.load_pretrained(whole)
    assert model.dtype_policy.name == "float32"
    assert "dtype" not in json.loads((whole / "model.json").read_text())


def test_a_run_goes_on_with_other_accumulation_and_says_so(tmp_path):
    short = ("--depth=1", "--train_steps=2", "--validation_split=")
    programs.pretrain(tmp_path, *short)
    result = programs.pretrain(
        tmp_path, *short, "--train_steps=4", "--accumulation_steps=4"
    )
    assert "--accumulation_steps was 1, is 4" in result.stderr
    assert programs.rows(tmp_path)[-1]["step"] == 4
