"""`make tour` with few steps: every stage works on what the last one left."""

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
def test_the_tour_leaves_the_pictures_that_it_lists(tmp_path):
    run = tmp_path / "run"
    result = subprocess.run(
        [
            # `environment` would make or replace one.
            *(shutil.which("make"), "--assume-old=environment", "tour"),
            *(f"VENV_PYTHON={sys.executable}", f"DEMO_WORKDIR={run}"),
            "TOUR_FLAGS=--train_steps=12 --warmup_epochs=0.1",
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
    stages = re.findall(r"(?m)^=== (.*): \S+$", result.stdout)
    assert [stage.split()[0].strip(",") for stage in stages] == [
        *("Pretrain", "Probe", "Fine-tune", "The", "Compare"),
        *("Write", "Reconstruct", "Draw", "All"),
    ]
    listed = result.stdout.rpartition("=== All pictures")[2].splitlines()[1:]
    names = {path.removeprefix(f"{run}/") for path in listed}
    assert names == {
        "reconstructions/step-00000012.png",
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
