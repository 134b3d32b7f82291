"""`make tour`: it learns, and every stage works on what the last one left."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.integration import programs


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("make"), reason="Needs make.")
def test_the_tour_learns_digits_and_leaves_the_pictures_that_it_lists(
    tmp_path,
):
    """All steps of the demo's pretraining, few of its fine-tunings."""
    run = tmp_path / "run"
    result = subprocess.run(
        [
            # `environment` would make or replace one.
            *(shutil.which("make"), "--assume-old=environment", "tour"),
            *(f"VENV_PYTHON={sys.executable}", f"DEMO_WORKDIR={run}"),
            "FINETUNE_FLAGS=--train_steps=8 --warmup_epochs=1",
        ],
        cwd=programs.ROOT,
        # pytest may itself have been started by make.
        env={k: v for k, v in os.environ.items() if "MAKE" not in k},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads((run / "evaluation.json").read_text())
    # Measured: 0.19 of 0.86.
    assert report["validation_loss"] < 0.4 * report["single_colour_loss"]
    # Measured: 0.83 and 0.35, in the last block.
    pretrained, untrained = (
        max(
            score["accuracy"]
            for score in report["protocols"]["knn"][network].values()
        )
        for network in ("pretrained", "untrained")
    )
    assert pretrained > untrained + 0.25

    stages = re.findall(r"(?m)^=== (.*): \S+$", result.stdout)
    assert [stage.split()[0].strip(",") for stage in stages] == [
        *("Pretrain", "Probe", "Fine-tune", "The", "Compare"),
        *("Write", "Reconstruct", "Draw", "All"),
    ]
    listed = result.stdout.rpartition("=== All pictures")[2].splitlines()[1:]
    names = {path.removeprefix(f"{run}/") for path in listed}
    assert names == {
        # Ten over the run.
        *(f"reconstructions/step-{n:08d}.png" for n in range(88, 881, 88)),
        "evaluation.png",
        "finetuned/confusion_matrix.png",
        "from_scratch/confusion_matrix.png",
        "comparison.png",
        "tour/reconstruction.png",
        "tour/pca.png",
        "tour/attention.png",
        "tour/neighbours.png",
    }
    for name in names:
        with Image.open(run / name) as picture:
            picture.load()
            assert picture.format == "PNG" and min(picture.size) > 250, name
            assert len(np.unique(np.asarray(picture))) > 16, name
    assert len(list((run / "tour" / "digits").iterdir())) == 360
    # Each of the four is its own nearest neighbour, and has a reconstruction.
    assert result.stdout.count("smooth fill: masked L1") == 4
