"""Fine-tuning as a user runs it: from a run, from scratch, killed, resumed."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.integration import cluster
from tests.integration import programs
from tests.integration import strategies_test
from tf_simmim import data
from tf_simmim import export
from tf_simmim import training

# The network of TINY, and all of the augmentation.
TINY = (
    "--dataset=builtin:digits",
    "--num_labels=40",
    "--image_size=32",
    "--backbone=vit_nano",
    "--embed_dim=24",
    "--depth=2",
    "--absolute_position=none",
    "--relative_position=shared",
    "--drop_path_rate=0.3",
    "--global_batch_size=8",
    "--base_learning_rate=1e-1",
    "--warmup_epochs=0.5",
    "--warmup_learning_rate=0",
    "--train_epochs=4",
    "--layer_decay=0.7",
    "--log_every_steps=4",
    # Behind the first checkpoint: a kill falls into its trace.
    "--validate_every_steps=8",
    "--checkpoint_every_steps=5",
    "--num_validation_images=44",
)
# Their averages are evaluated, and have to come back as well.
STEPS = ("--train_steps=12", "--ema_momentum=0.9")


def finetune(workdir, *arguments):
    """Runs `finetune.py` with the flags of `TINY`; it must succeed."""
    result = programs.run(
        "finetune.py", *TINY, f"--workdir={workdir}", *arguments
    )
    assert result.returncode == 0, result.stderr
    return result


def evaluation(workdir):
    return json.loads((workdir / "evaluation.json").read_text())


def rows(workdir):
    """Returns the rows of metrics.jsonl, without what depends on time."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    timed = ("images_per_second", "seconds")
    return [
        {
            key: value
            for key, value in json.loads(line).items()
            if key not in timed
        }
        for line in lines
    ]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("pretrained") / "run"
    programs.pretrain(workdir, "--train_steps=3")
    return workdir


@pytest.fixture(scope="module")
def whole(pretrained, tmp_path_factory):
    """A run of 12 steps that has a checkpoint of each."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    result = finetune(
        workdir,
        f"--pretrained={pretrained}",
        *STEPS,
        "--checkpoint_every_steps=1",
        "--keep_checkpoints=99",
    )
    return workdir, result


def test_a_run_from_scratch_leaves_what_it_promises(tmp_path):
    workdir = tmp_path / "run"
    result = finetune(workdir, "--train_steps=2", "--rand_augment_operations=0")
    found = evaluation(workdir)
    assert found["step"] == 2 and found["num_images"] == 360
    assert 0 <= found["top_1"] <= found["top_5"] <= 1
    assert [row["name"] for row in found["classes"]] == list("0123456789")
    assert np.sum(found["confusion"]) == 360
    assert f"top-1 {found['top_1']:.4f}" in result.stdout
    with Image.open(workdir / "confusion_matrix.png") as picture:
        assert min(picture.size) > 480
    model = training.load_pretrained(workdir)
    assert model.class_names == tuple("0123456789")
    (row,) = rows(workdir)
    assert row["validation_accuracy"] >= 0 and row["accuracy"] >= 0
    assert not (workdir / "skipped_steps.jsonl").exists()


@pytest.mark.slow
def test_the_run_begins_with_the_pretrained_weights(pretrained, whole):
    workdir, result = whole
    assert "cloned from one for all blocks" in result.stderr
    want = programs.tensors(pretrained, 3)
    # The first step has a rate of nothing.
    got, moved = (programs.tensors(workdir, step) for step in (1, 12))
    names = [n for n in want if n.startswith("model/backbone/patch_embedding")]
    assert names
    for name in names:
        np.testing.assert_array_equal(got[name], want[name])
    assert any(np.any(moved[name] != want[name]) for name in names)


@pytest.mark.slow
def test_a_resumed_run_does_not_look_for_what_it_began_with(whole, tmp_path):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole[0], workdir, step=11)
    result = finetune(workdir, f"--pretrained={tmp_path / 'gone'}", *STEPS)
    assert "Continuing" in result.stderr
    assert "weights copied" not in result.stderr
    programs.assert_same_state(whole[0], workdir, 12)
    assert evaluation(workdir) == evaluation(whole[0])


@pytest.mark.slow
def test_two_workers_learn_like_one_device(pretrained, whole, tmp_path):
    workdir = tmp_path / "run"
    words = (f"--pretrained={pretrained}", *STEPS)
    cluster.run("finetune.py", workdir, *TINY, *words)
    strategies_test.assert_close_weights(workdir, whole[0], 12)
    assert evaluation(workdir) == evaluation(whole[0])


@pytest.mark.slow
def test_averages_precision_compilation_and_replicas_go_together(tmp_path):
    workdir = tmp_path / "run"
    finetune(
        workdir,
        "--depth=1",
        "--train_steps=4",
        "--ema_momentum=0.9",
        "--jit_compile",
        "--precision=bfloat16",
        "--accumulation_steps=2",
        "--image_dtype=uint8",
        *strategies_test.MIRRORED,
    )
    found = evaluation(workdir)
    assert found["step"] == 4 and found["num_images"] == 360
    # The row is of the same weights: the averages.
    row = rows(workdir)[-1]
    assert row["step"] == 4 and np.isfinite(row["validation_loss"])


@pytest.mark.slow
def test_what_is_served_is_what_was_judged(whole, tmp_path):
    """The averages of the weights, and files in place of arrays."""
    workdir, _ = whole
    result = programs.run(
        "export.py",
        f"--run={workdir}",
        f"--export_dir={tmp_path}",
        "--max_batch_size=2",
    )
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "1"
    assert f"MB, checked: {folder}" in result.stdout
    told = json.loads((folder / "manifest.json").read_text())
    assert told["class_names"] == list("0123456789")

    source = data.open_source("builtin:digits", split="test")
    elements = [source.read(index) for index in range(len(source))]
    files = [tf.io.encode_png(e["image"]).numpy() for e in elements]
    answer = export.ServedModel(folder).run(
        "predict", {"image_bytes": np.array(files, object)}
    )
    confusion = np.zeros([10, 10], int)
    for element, name in zip(elements, answer["class_name"], strict=True):
        confusion[element["label"], int(name)] += 1
    assert confusion.tolist() == evaluation(workdir)["confusion"]


@pytest.mark.slow
def test_a_complete_run_is_evaluated_again_and_changes_nothing(whole):
    workdir, _ = whole
    before = (workdir / "metrics.jsonl").read_text()
    found = evaluation(workdir)
    (workdir / "evaluation.json").unlink()
    flags = f"--flagfile={workdir / 'flags.txt'}"
    result = programs.run("finetune.py", flags)
    assert result.returncode == 0, result.stderr
    assert "is complete at step 12" in result.stderr
    assert (workdir / "metrics.jsonl").read_text() == before
    assert evaluation(workdir) == found


@pytest.mark.slow
@pytest.mark.parametrize(
    "words, message",
    [
        (["--depth=3"], "must describe the network of --pretrained.*--depth=2"),
        (["--pretrained=nowhere"], "must be the folder of a run"),
        (["--global_batch_size=5"], "even number of rows"),
        (["--num_labels=45"], "the nearest that works is 40 or 50"),
        (["--global_batch_size=50"], "must not exceed the number of training"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    pretrained, tmp_path, words, message
):
    workdir = tmp_path / "run"
    result = programs.run(
        "finetune.py",
        *TINY,
        f"--pretrained={pretrained}",
        f"--workdir={workdir}",
        *words,
    )
    assert result.returncode != 0
    assert "Traceback" not in result.stderr

    assert re.search(message, result.stderr.replace("\n", " "))
    assert not workdir.exists()
