"""Every mistake on the command line ends in one sentence that names it."""

import shutil

import pytest

from tests.integration import programs

RUNS = programs.ROOT / "tests" / "golden" / "runs" / "0.1.0"

QUICK = [
    (["--dataset=builtin:digits", "leftover"], "leftover"),
    (
        [*programs.TINY, "--image_size=30"],
        "nearest sizes that work",
    ),
]
OTHERS = [
    (["--flagfile=vitc.flags"], "There is no flagfile vitc.flags"),
    (["--dataset=folder:/no/such/folder"], "/no/such/folder"),
    (["--dataset=builtin:digit"], "builtin:digits"),
    (["--dataset=tfds:mnist", "--data_dir=/nowhere"], "/nowhere"),
    (["--dataset=builtin:digits", "--mask_ratio=1.5"], "mask_ratio"),
    (["--dataset=builtin:digits", "--backbone=vit_huge"], "vit_base"),
    (
        ["--dataset=builtin:digits", "--global_batch_size=5000"],
        "--global_batch_size must not exceed",
    ),
    (["--global_batch_size=16"], "--dataset"),
    (
        [*programs.TINY, "--base_learning_rate=nan"],
        "base_learning_rate=nan: must be a finite number",
    ),
    (
        ["--dataset=builtin:digits", "--train_epochs=5"],
        "--warmup_epochs must be over before --train_epochs",
    ),
    (
        [*programs.TINY, "--validation_dataset=folder:/no/such/folder"],
        "/no/such/folder",
    ),
]


@pytest.mark.parametrize(
    "arguments, message",
    [
        *QUICK,
        *(pytest.param(*mistake, marks=pytest.mark.slow) for mistake in OTHERS),
    ],
)
def test_a_mistake_is_named_without_a_traceback(arguments, message, tmp_path):
    result = programs.run("pretrain.py", *arguments, cwd=tmp_path)
    assert result.returncode != 0
    output = result.stdout + result.stderr
    assert message in output
    assert "Traceback" not in output
    assert not list(tmp_path.glob("runs/*/flags.txt"))


@pytest.mark.slow
def test_a_file_that_is_no_image_is_named(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        (images / f"{number}.jpg").write_text("not an image")
    result = programs.run(
        "pretrain.py",
        *programs.TINY,
        f"--dataset=folder:{images}",
        "--global_batch_size=2",
        cwd=tmp_path,
    )
    assert result.returncode != 0
    assert f"{images}/" in result.stderr
    assert "Traceback" not in result.stderr


def test_evaluation_wants_the_folder_of_a_run(tmp_path):
    result = programs.run("evaluate.py", f"--workdir={tmp_path}")
    assert result.returncode != 0
    assert "must be the folder of a run" in result.stderr


def test_evaluation_is_not_of_images_that_it_learns_from(tmp_path):
    run = shutil.copytree(RUNS / "pretrain_vit", tmp_path / "run")
    result = programs.run("evaluate.py", f"--workdir={run}", "--split=all")
    assert result.returncode != 0
    assert "must not hold the held-out ones" in result.stderr
    assert "Traceback" not in result.stderr


def test_evaluation_wants_a_run_that_pretrains(tmp_path):
    run = shutil.copytree(RUNS / "finetune", tmp_path / "run")
    result = programs.run("evaluate.py", f"--workdir={run}")
    assert result.returncode != 0
    wanted = "--workdir must be the folder of a run of pretrain.py. Received: "
    assert f"{wanted}{run}, a run of fine-tuning." in result.stderr
    assert "Traceback" not in result.stderr
