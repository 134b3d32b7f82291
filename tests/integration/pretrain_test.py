"""Pretraining as a user runs it: stop, go on, look at what is left behind."""

import importlib.metadata
import json
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from tests.integration import programs
from tests.integration import warm_interpreter
from tf_simmim import training


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of 18 steps, and one that stopped after 10 of them."""
    whole = tmp_path_factory.mktemp("whole")
    parts = tmp_path_factory.mktemp("parts") / "run"
    programs.pretrain(whole, "--train_steps=18")
    programs.copy_as_killed(whole, parts, 10)
    # That features are judged on the way must change nothing either.
    result = programs.pretrain(parts, "--train_steps=18", "--evaluate_every=8")
    return whole, parts, result


def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(runs):
    whole, parts, result = runs
    assert "Continuing" in result.stderr and "step 10" in result.stderr
    programs.assert_same_state(whole, parts, 18)
    names = programs.tensors(whole, 18)
    assert sum("optimizer/_variables" in name for name in names) > 50


def test_metrics_of_a_resumed_run_equal_the_uninterrupted_ones(runs):
    whole, parts, _ = runs
    kept = programs.rows(whole)
    # The first part of the run had ended between two rows.
    assert [row["step"] for row in kept] == [4, 8, 12, 16, 18]
    assert programs.rows(parts) == kept


def test_the_run_directory_holds_what_the_readme_says(runs):
    whole, _, _ = runs
    checkpoints = sorted(p.name for p in (whole / "checkpoints").iterdir())
    assert checkpoints == ["step-00000010", "step-00000015", "step-00000018"]
    pictures = sorted(p.name for p in (whole / "reconstructions").iterdir())
    assert pictures == [f"step-{n:08d}.png" for n in (8, 16, 18)]
    with Image.open(whole / "reconstructions" / pictures[0]) as picture:
        assert min(picture.size) > 3 * 32
    environment = json.loads((whole / "environment.json").read_text())
    assert environment["packages"]["tensorflow"] == importlib.metadata.version(
        "tensorflow"
    )
    assert list((whole / "tensorboard").glob("events.out.tfevents.*"))


def test_the_pretrained_model_loads_from_the_run_directory(runs):
    whole, _, _ = runs
    model = training.load_pretrained(whole)
    (name,) = [
        name
        for name in programs.tensors(whole, 18)
        if name.startswith("model/backbone/mask_token/")
    ]
    np.testing.assert_array_equal(
        model.backbone.mask_token.mask_token, programs.tensors(whole, 18)[name]
    )
    assert model.mask_ratio == 0.6
    with pytest.raises(ValueError, match="must be the folder of a run"):
        training.load_pretrained(whole / "checkpoints")


def test_help_shows_the_flags():
    result = programs.run("pretrain.py", "--help")
    for flag in ("--dataset", "--mask_ratio", "--base_learning_rate", "--seed"):
        assert flag in result.stdout
    assert "--hbm_oom_exit" not in result.stdout


def test_the_loss_falls(runs):
    whole, _, _ = runs
    losses = [row["loss"] for row in programs.rows(whole)]
    assert losses[-1] < 0.95 * losses[0]
    assert all("validation_loss" in row for row in programs.rows(whole))


@pytest.mark.slow
def test_the_written_flags_repeat_the_run(runs, tmp_path):
    whole, _, _ = runs
    result = programs.run(
        "pretrain.py",
        f"--flagfile={whole / 'flags.txt'}",
        f"--workdir={tmp_path}",
    )
    assert result.returncode == 0, result.stderr
    assert programs.rows(tmp_path) == programs.rows(whole)


def test_a_complete_run_says_so_and_changes_nothing(runs):
    whole, _, _ = runs
    before = (whole / "metrics.jsonl").read_text()
    result = programs.pretrain(whole, "--train_steps=18")
    assert "is complete at step 18" in result.stderr
    assert (whole / "metrics.jsonl").read_text() == before


def test_a_run_whose_checkpoints_have_gone_does_not_begin_anew(runs, tmp_path):
    whole, *_ = runs
    workdir = tmp_path / "run"
    shutil.copytree(whole, workdir)
    shutil.rmtree(workdir / "checkpoints")
    result = programs.run(
        "pretrain.py",
        *programs.TINY,
        "--train_steps=20",
        f"--workdir={workdir}",
    )
    assert result.returncode == 1
    assert "has metrics up to step 18, and no checkpoint" in result.stderr
    assert "Traceback" not in result.stderr
    assert programs.rows(workdir) == programs.rows(whole)


def flip_a_bit(checkpoint):
    """Changes one bit in the middle of a checkpoint's numbers."""
    (file,) = checkpoint.glob("state.data-*")
    contents = bytearray(file.read_bytes())
    contents[len(contents) // 2] ^= 1
    file.write_bytes(contents)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_set_aside_and_none_left_is_no_fresh_start(
    runs, tmp_path
):
    whole, *_ = runs
    workdir = tmp_path / "run"
    shutil.copytree(whole, workdir)
    checkpoints = workdir / "checkpoints"
    flip_a_bit(checkpoints / "step-00000018")
    result = programs.pretrain(workdir, "--train_steps=18")
    (line,) = [x for x in result.stderr.splitlines() if "is damaged" in x]
    assert "step-00000018" in line and "using step-00000015" in line
    assert "from step 15." in result.stderr
    assert list(checkpoints.glob("corrupt-step-00000018*"))
    programs.assert_same_state(whole, workdir, 18)
    assert programs.rows(workdir) == programs.rows(whole)

    for folder in checkpoints.glob("step-*"):
        flip_a_bit(folder)
    names = sorted(workdir.rglob("*"))
    result = programs.run(
        "pretrain.py",
        *programs.TINY,
        "--train_steps=20",
        f"--workdir={workdir}",
    )
    assert result.returncode == 1
    assert "None of the checkpoints" in result.stderr
    assert "put a good copy of one of them back" in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(workdir.rglob("*")) == names


@pytest.mark.slow
def test_other_settings_in_the_same_folder_are_refused(runs):
    whole, _, _ = runs
    before = (whole / "flags.txt").read_text()
    result = programs.run(
        "pretrain.py",
        *programs.TINY,
        f"--workdir={whole}",
        "--train_steps=20",
        "--depth=3",
    )
    assert result.returncode != 0
    assert "name another --workdir" in result.stderr
    assert "--depth=2" in result.stderr and "--depth=3" in result.stderr
    assert (whole / "flags.txt").read_text() == before


@pytest.mark.slow
def test_a_lamb_run_resumes_bit_for_bit_logs_to_wandb_and_is_evaluated(
    tmp_path,
):
    options = (
        *("--optimizer=lamb", "--wandb_project=test", "--depth=1"),
        *("--train_steps=7", "--checkpoint_every_steps=3"),
    )
    offline = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    programs.pretrain(whole, *options, **offline)
    programs.copy_as_killed(whole, parts, 3)
    programs.pretrain(parts, *options, **offline)
    programs.assert_same_state(whole, parts, 7)
    # Two processes, one run there.
    folders = [p.name for p in (parts / "wandb").glob("offline-run-*")]
    assert len(folders) == 2
    assert len({name.rpartition("-")[2] for name in folders}) == 1
    result = programs.run(
        "evaluate.py", "--workdir", str(parts), "--protocols=knn"
    )
    assert result.returncode == 0, result.stderr
    assert "deprecat" not in result.stderr


def test_features_are_judged_while_a_run_trains(runs):
    whole, parts, _ = runs
    plain, judged = (
        list(map(json.loads, (run / "metrics.jsonl").read_text().splitlines()))
        for run in (whole, parts)
    )
    names = [
        f"{kind}_block_{block}"
        for block in (0, 1)
        for kind in ("knn", "linear")
    ]
    # Every 8 steps, and at the end.
    steps = [row["step"] for row in judged if "knn_block_0" in row]
    assert steps == [16, 18]
    for row in judged:
        if row["step"] in steps:
            assert all(0.1 < row[name] < 1 for name in names)
    assert not any(name in row for row in plain for name in names)


@pytest.mark.slow
def test_evaluation_compares_with_untrained_and_raw_pixels(runs):
    whole, parts, _ = runs
    result = programs.run("evaluate.py", f"--workdir={whole}")
    assert result.returncode == 0, result.stderr
    report = json.loads((whole / "evaluation.json").read_text())
    assert (report["version"], report["step"]) == (2, 18)
    assert (report["num_train_images"], report["num_test_images"]) == (1437, 40)
    protocols = report["protocols"]
    assert list(protocols) == [
        *("knn", "linear", "few_shot_1", "few_shot_5", "few_shot_10")
    ]
    for scores in protocols.values():
        for network in ("pretrained", "untrained"):
            assert set(scores[network]) == {"0", "1"}
            for score in scores[network].values():
                assert score["low"] <= score["accuracy"] <= score["high"]
        # Scanned digits by their pixels are easy.
        assert 0.5 < scores["raw_pixels"]["accuracy"] <= 1.0
    assert 0.9 < protocols["knn"]["raw_pixels"]["accuracy"] < 1.0
    # The same features as the other run judged at its last step.
    last = json.loads((parts / "metrics.jsonl").read_text().splitlines()[-1])
    for block in "01":
        for name in ("knn", "linear"):
            score = protocols[name]["pretrained"][block]["accuracy"]
            assert score == last[f"{name}_block_{block}"]
    quality = report["reconstruction"]
    assert quality["num_images"] == 40
    for network in ("model", "visible_mean"):
        assert 0 < quality[network]["masked_l1"] < 1
        assert f"{quality[network]['psnr']:.2f}" in result.stdout
    logged = programs.rows(whole)[-1]["validation_loss"]
    assert report["validation_loss"] == pytest.approx(logged, rel=1e-5)
    flags = (whole / "flags.txt").read_text()
    assert "--image_mean=0.309" in flags and "--image_std=0.349" in flags
    for line in ("pretrained", "untrained", "raw pixels", "step-00000018.png"):
        assert line in result.stdout
    with Image.open(whole / "evaluation.png") as picture:
        assert picture.size == (1050, 574)


@pytest.mark.slow
def test_a_second_evaluation_takes_its_features_from_the_disk(runs, tmp_path):
    whole, *_ = runs
    workdir = tmp_path / "run"
    shutil.copytree(whole, workdir)
    shutil.rmtree(workdir / "features", ignore_errors=True)

    def evaluate(*arguments):
        result = programs.run(
            "evaluate.py",
            f"--workdir={workdir}",
            "--protocols=linear_sgd",
            "--num_probe_images=300",
            *arguments,
        )
        assert result.returncode == 0, result.stderr
        report = json.loads((workdir / "evaluation.json").read_text())
        return result.stderr, report

    log, first = evaluate("--blocks=1")
    assert "Features of" not in log
    files = sorted((workdir / "features").iterdir())
    files[0].write_bytes(files[0].read_bytes()[:-9])
    log, second = evaluate("--blocks=1")
    assert log.count("is damaged") == 1
    assert log.count("Features of") == 5  # for two networks, and of pixels
    assert second == first
    # One block is there, one is not.
    log, both = evaluate("--blocks=0,1")
    scores = both["protocols"]["linear_sgd"]["pretrained"]
    assert set(scores) == {"0", "1"}
    assert scores["1"] == first["protocols"]["linear_sgd"]["pretrained"]["1"]
    assert sorted((workdir / "features").iterdir()) == files
    log, third = evaluate("--blocks=1", "--nocache_features")
    assert "Features of" not in log
    assert third == first


@pytest.mark.slow
def test_no_flags_at_all_are_those_of_the_demo(tmp_path):
    program = programs.ROOT / "experiments" / "pretrain.py"
    output = tmp_path / "stdout"
    process = warm_interpreter.start([program], tmp_path, stdout=output)
    written = tmp_path / "runs" / "demo" / "flags.txt"
    try:
        while not written.exists():
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    of_demo = {"--name=demo", "--depth=4", "--nohorizontal_flip"}
    assert of_demo <= set(written.read_text().splitlines())


@pytest.mark.slow
def test_the_published_vitb_recipe_takes_real_steps(tmp_path):
    """Two steps of the real ViT-B on a dozen JPEGs, two at a time."""
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 256, [240 + number, 320, 3], np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.jpg")
    workdir = tmp_path / "run"
    result = programs.run(
        "pretrain.py",
        "--flagfile=vitb.flags",
        f"--dataset=folder:{images}",
        "--train_steps=2",
        "--global_batch_size=2",
        "--num_pictures=1",
        "--validation_split=",
        f"--workdir={workdir}",
    )
    assert result.returncode == 0, result.stderr
    folder = workdir / "checkpoints" / "step-00000002"
    assert json.loads((folder / "manifest.json").read_text())["step"] == 2
    weights = programs.tensors(workdir, 2)
    table = [n for n in weights if "relative_position_biases" in n]
    shapes = {weights[name].shape for name in table}
    assert (732, 12) in shapes  # (2 * 14 - 1)^2 + 3 rows, 12 heads
