"""Tests for benchmarks/train_step.py, scaling.py and peers.py."""

import importlib.util
import re

import pytest

from tests.integration import programs
from tests.integration import warm_interpreter


def run(name, *arguments):
    path = programs.ROOT / "benchmarks" / name
    return warm_interpreter.run([path, *arguments], programs.ROOT, timeout=900)


def rows(output):
    """Returns the cells of the rows of all tables, without heads."""
    lines = re.findall(r"^\| (.*) \|$", output, re.M)
    cells = [line.split(" | ") for line in lines]
    return [row for row in cells if "images/s" not in row]


@pytest.mark.slow
def test_every_variant_of_a_step_has_a_row():
    result = run(
        "train_step.py",
        "--models=vit_nano@64",
        "--variants=naive,bfloat16",
        "--depth=1",
        "--batch_size=3",
        "--num_rounds=1",
    )
    assert result.returncode == 0, result.stderr
    assert "vit_nano@64 of 1 blocks, batch 3" in result.stdout
    table = rows(result.stdout)
    assert [row[0] for row in table] == ["naive", "bfloat16"]
    assert table[0][2:4] == ["1.00", "1.00"]
    for row in table:
        images, _, _, utilisation, peak, megabytes = row[1:]
        assert float(images) > 0
        assert 0 < float(utilisation.split()[0]) < 1.5
        # TensorFlow alone has some hundred.
        assert float(peak.replace(",", "")) > 100 + 2 * float(megabytes) >= 100


@pytest.mark.slow
def test_tables_of_scaling_have_their_rows():
    result = run(
        "scaling.py",
        "--over=image_size,workers",
        "--preset=vit_nano",
        "--image_size=64",
        "--image_sizes=128,64",
        "--depth=1",
        "--batch_size=2",
        "--num_rounds=1",
    )
    assert result.returncode == 0, result.stderr
    headings = re.findall(r"over (\w+), 1 rounds, sgemm \d+", result.stdout)
    assert headings == ["image_size", "workers"]
    table = {row[0]: row[1:] for row in rows(result.stdout)}
    assert list(table) == ["128 px", "64 px", "workers: 1", "workers: 2"]
    # Four times the patches, and attention besides.
    assert float(table["64 px"][3]) > 4
    # GFLOP an image of one block; 1.5 of all.
    assert table["workers: 2"][0] == table["workers: 1"][0] == "0.3"
    assert float(table["workers: 2"][1]) > 0


@pytest.mark.slow
def test_without_pytorch_the_comparison_says_what_to_install():
    if importlib.util.find_spec("torch"):
        pytest.skip("PyTorch is installed")
    result = run("peers.py", "--models=vit_nano@64", "--batch_size=2")
    assert result.returncode == 1
    assert "pip install -e '.[bench]'" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "program, model",
    [
        ("train_step.py", "vit_huge@224"),
        # Hugging Face has no masked image modeling with it.
        ("peers.py", "resnet50@224"),
    ],
)
def test_unknown_names_are_refused(program, model):
    result = run(program, f"--models={model}")
    assert result.returncode != 0
    assert "vit_small@224" in result.stderr
