"""prune.py as a user runs it, and programs that take what it leaves."""

import json

import pytest

from tests.integration import programs
from tf_simmim import training
from tf_simmim.compression import report_file

pytestmark = pytest.mark.slow


def test_a_pruned_pretraining_is_evaluated_and_fine_tuned(tmp_path):
    run = tmp_path / "run"
    programs.run("pretrain.py", *programs.TINY, f"--workdir={run}")
    output = programs.run(
        "prune.py",
        f"--run={run}",
        "--target=params:0.7",
        "--num_calibration_images=64",
    )
    pruned = run / "pruned"
    assert f"Run: {pruned}" in output.stdout
    report = report_file.read_report(pruned)
    assert set(report.compressed.scores) == {"knn", "linear"}
    model = training.load_pretrained(pruned)
    assert model.count_params() <= report.original.num_weights

    programs.run("evaluate.py", f"--workdir={pruned}", "--protocols=knn")
    results = json.loads((pruned / "evaluation.json").read_text())
    assert results["step"] == 0

    widths = [
        f"--{name}={','.join(map(str, dims))}"
        for name, dims in (
            ("mlp_dims", model.backbone.mlp_dims),
            ("key_dims", model.backbone.key_dims),
            ("value_dims", model.backbone.value_dims),
        )
    ]
    tuned = tmp_path / "tuned"
    shared = [flag for flag in programs.TINY if "mask" not in flag]
    shared = [flag for flag in shared if "picture" not in flag]
    programs.run(
        "finetune.py",
        *shared,
        *widths,
        f"--pretrained={pruned}",
        f"--workdir={tuned}",
    )
    programs.run("prune.py", f"--run={tuned}", "--target=flops:0.8")
    programs.run("export.py", f"--run={tuned / 'pruned'}")
    (version,) = (tuned / "pruned" / "export").iterdir()
    assert (version / "saved_model.pb").is_file()
