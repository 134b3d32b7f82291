"""Detection as a user runs it: on COCO from other weights, resumed, scenes."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.integration import cluster
from tests.integration import programs
from tests.integration import readme_test
from tests.integration import strategies_test
from tests.integration import tiny_swin
from tf_simmim import data
from tf_simmim import models
from tf_simmim import training

TINY = (
    *tiny_swin.FLAGS,
    "--pyramid_width=8",
    "--num_convolutions=1",
    "--global_batch_size=8",
    "--warmup_epochs=1",
    "--warmup_learning_rate=0",
    "--train_epochs=4",
    "--log_every_steps=2",
    "--validate_every_steps=4",
    "--num_validation_images=16",
    "--num_drawn=3",
)
SCENES = ("--dataset=builtin:digit_scenes", "--validation_split=test")


def detect(workdir, *arguments):
    result = programs.run(
        "detect.py", *TINY, f"--workdir={workdir}", *arguments
    )
    assert result.returncode == 0, result.stderr
    return result


def evaluation(workdir):
    return json.loads((workdir / "detection.json").read_text())


def write_coco(folder, num_images=40):
    """Writes scenes as a data set of COCO's form; returns its file."""
    source = data.DigitScenesSource()
    content = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 5 + d, "name": f"the {d}"} for d in range(10)],
    }
    for i in range(num_images):
        scene = source.read(tf.constant(i, tf.int64))
        name = f"{i:03d}.png"
        Image.fromarray(scene["image"].numpy()).save(folder / name)
        content["images"].append(
            {"id": i, "file_name": name, "height": 128, "width": 128}
        )
        for box, label in zip(
            scene["boxes"].numpy().tolist(),
            scene["box_classes"].numpy().tolist(),
            strict=True,
        ):
            if label >= 0:
                top, left, bottom, right = box
                content["annotations"].append(
                    {
                        "image_id": i,
                        "category_id": 5 + label,
                        "bbox": [left, top, right - left, bottom - top],
                    }
                )
    file = folder / "boxes.json"
    file.write_text(json.dumps(content))
    return file


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """Flags of a data set of COCO's form, of which nine images are held out."""
    folder = tmp_path_factory.mktemp("data")
    file = write_coco(folder)
    # A bad image is named and replaced.
    (folder / "004.png").write_bytes(b"no image")
    return f"--dataset=coco:{file}", "--validation_split=test"


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    return tiny_swin.write(tmp_path_factory.mktemp("pretrained") / "run")


@pytest.fixture(scope="module")
def whole(coco, pretrained, tmp_path_factory):
    """A run of 7 steps that has a checkpoint of each."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    result = detect(
        workdir,
        *coco,
        f"--pretrained={pretrained}",
        "--train_steps=7",
        "--checkpoint_every_steps=1",
        "--keep_checkpoints=99",
    )
    return workdir, result


@pytest.mark.slow
def test_a_run_on_boxes_from_a_file_leaves_scores_and_a_picture(whole):
    workdir, result = whole
    assert "004.png" in result.stderr
    found = evaluation(workdir)
    assert found["step"] == 7
    assert found["num_images"] == 9
    assert [row["name"] for row in found["classes"]] == [
        f"the {digit}" for digit in range(10)
    ]
    score = found["mean_average_precision"]
    assert 0 <= score <= 1
    assert f"precision {score:.4f}" in result.stdout
    with Image.open(workdir / "predictions.png") as picture:
        assert picture.size[0] > 128
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    row = json.loads(lines[-1])
    assert {"validation_loss", "box_loss", "classification_loss"} <= row.keys()
    model = training.load_pretrained(workdir)
    assert isinstance(model, models.Detector)


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_another(pretrained, whole):
    workdir, _ = whole
    want = programs.tensors(pretrained, 0)
    # The first step has a rate of nothing.
    got, moved = (programs.tensors(workdir, step) for step in (1, 7))
    names = [n for n in want if n.startswith("model/backbone/") and n in got]
    assert any("patch_embedding" in name for name in names)
    for name in names:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)
    assert any(np.any(moved[name] != want[name]) for name in names)


@pytest.mark.slow
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(
    coco, pretrained, whole, tmp_path
):
    workdir = tmp_path / "run"
    programs.copy_as_killed(whole[0], workdir, step=4)
    result = detect(
        workdir, *coco, f"--pretrained={pretrained}", "--train_steps=7"
    )
    assert "step 4" in result.stderr
    programs.assert_same_state(whole[0], workdir, 7)
    assert evaluation(workdir) == evaluation(whole[0])


@pytest.mark.slow
def test_two_workers_learn_like_one_device(coco, pretrained, whole, tmp_path):
    workdir = tmp_path / "run"
    cluster.run(
        "detect.py",
        workdir,
        *TINY,
        *coco,
        f"--pretrained={pretrained}",
        "--train_steps=7",
    )
    strategies_test.assert_close_weights(workdir, whole[0], 7)
    got, want = evaluation(workdir), evaluation(whole[0])
    # Means over the images of each, in another order.
    for name in ("loss", "box_loss", "classification_loss"):
        assert got.pop(name) == pytest.approx(want.pop(name), rel=1e-6)
    assert got == want


@pytest.mark.slow
def test_two_replicas_under_xla_and_in_few_bits_learn_scenes(tmp_path):
    workdir = tmp_path / "run"
    result = detect(
        workdir,
        *SCENES,
        "--train_steps=3",
        "--jit_compile",
        "--precision=bfloat16",
        "--num_cpu_replicas=2",
        "--accumulation_steps=2",
    )
    found = evaluation(workdir)
    assert found["step"] == 3, result.stderr
    assert found["num_images"] == 512
    objects = [row["objects"] for row in found["classes"]]
    assert sum(objects) == found["num_objects"] and min(objects) > 50
    assert [row["name"] for row in found["classes"]][:2] == [
        *("digit 0", "digit 1")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words, message",
    [
        (["--dataset=builtin:digits"], "must have boxes"),
        ([*SCENES, "--mixup_alpha=1"], "Unknown command line flag"),
        (["--dataset=coco:nowhere.json"], "a file of boxes as COCO has it"),
    ],
)
def test_a_mistake_is_one_sentence(words, message, tmp_path):
    result = programs.run(
        "detect.py", *TINY, f"--workdir={tmp_path / 'run'}", *words
    )
    assert result.returncode
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_the_script_of_the_page_runs_for_some_steps(tmp_path):
    check = """
assert found["boxes"].shape == (16, 100, 4)
assert model.optimizer.iterations == 4
"""
    readme_test.run_script(
        "docs/detection.md",
        check,
        tmp_path,
        ("steps_per_epoch=100", "steps_per_epoch=4"),
    )
