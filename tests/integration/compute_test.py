"""Precision, XLA and accumulation through the programs."""

import json

import pytest

from tests.integration import programs
from tf_simmim import training


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_run_in_low_precision_resumes_exactly_and_evaluates(
    tmp_path, precision
):
    options = (
        f"--precision={precision}",
        "--jit_compile",
        "--accumulation_steps=2",
    )
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    programs.pretrain(whole, *options, "--train_steps=6")
    for steps in (3, 6):
        programs.pretrain(stopped, *options, f"--train_steps={steps}")
    programs.assert_same_state(whole, stopped, 6)
    has_loss_scale = any(
        "loss_scale" in name for name in programs.tensors(whole, 6)
    )
    assert has_loss_scale == (precision == "float16")

    losses = []
    for used in (precision, "float32"):
        result = programs.run(
            "evaluate.py", f"--workdir={whole}", f"--precision={used}"
        )
        assert result.returncode == 0, result.stderr
        report = json.loads((whole / "evaluation.json").read_text())
        losses.append(report["validation_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert losses[0] != losses[1]
    model = training.load_pretrained(whole)
    assert model.dtype_policy.name == "float32"
    assert "dtype" not in json.loads((whole / "model.json").read_text())


@pytest.mark.slow
def test_a_run_goes_on_with_other_accumulation_and_says_so(tmp_path):
    programs.pretrain(tmp_path, "--train_steps=2")
    result = programs.pretrain(
        tmp_path, "--train_steps=4", "--accumulation_steps=4"
    )
    assert "--accumulation_steps was 1, is 4" in result.stderr
    assert programs.rows(tmp_path)[-1]["step"] == 4
