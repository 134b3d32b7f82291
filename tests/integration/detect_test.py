"""Detection as a user runs it: from scratch, resumed, from a run, on COCO."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.integration import programs
from tests.integration import readme_test
from tf_simmim import data
from tf_simmim import models
from tf_simmim import training

NETWORK = (
    "--backbone=swin_tiny",
    "--embed_dim=8",
    "--depths=1,1",
    "--num_heads=1,2",
    "--window_size=4",
    "--image_size=64",
    "--drop_path_rate=0.2",
)
TINY = (
    *NETWORK,
    "--pyramid_width=8",
    "--num_convolutions=1",
    "--global_batch_size=8",
    "--warmup_epochs=0.01",
    "--train_epochs=0.05",
    "--log_every_steps=4",
    "--validate_every_steps=8",
    "--checkpoint_every_steps=6",
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole") / "run"
    return workdir, detect(workdir, *SCENES, "--train_steps=12")


@pytest.mark.slow
def test_a_run_leaves_scores_for_each_class_and_a_picture(whole):
    workdir, result = whole
    found = evaluation(workdir)
    assert found["step"] == 12
    assert found["num_images"] == 512
    objects = [row["objects"] for row in found["classes"]]
    assert sum(objects) == found["num_objects"] and min(objects) > 50
    assert [row["name"] for row in found["classes"]][:2] == [
        *("digit 0", "digit 1")
    ]
    score = found["mean_average_precision"]
    assert 0 <= score <= 1
    assert f"precision {score:.4f}" in result.stdout
    with Image.open(workdir / "predictions.png") as picture:
        assert picture.size[0] > 2 * 192
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    row = json.loads(lines[-1])
    assert {"validation_loss", "box_loss", "classification_loss"} <= row.keys()
    model = training.load_pretrained(workdir)
    assert isinstance(model, models.Detector)


@pytest.mark.slow
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(
    whole, tmp_path
):
    workdir = tmp_path / "run"
    for steps in (7, 12):
        result = detect(workdir, *SCENES, f"--train_steps={steps}")
    assert "step 7" in result.stderr
    programs.assert_same_state(whole[0], workdir, 12)
    assert evaluation(workdir) == evaluation(whole[0])


@pytest.mark.slow
def test_two_replicas_under_xla_and_in_few_bits_run_as_well(tmp_path):
    workdir = tmp_path / "run"
    result = detect(
        workdir,
        *(*SCENES, "--train_steps=3", "--jit_compile", "--precision=bfloat16"),
        *("--num_cpu_replicas=2", "--accumulation_steps=2"),
    )
    assert evaluation(workdir)["step"] == 3, result.stderr


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_another(tmp_path):
    pretrained = tmp_path / "pretrained"
    result = programs.run(
        "pretrain.py",
        *NETWORK,
        *("--dataset=builtin:digit_scenes", "--mask_patch_size=16"),
        *("--global_batch_size=8", "--warmup_epochs=0", "--train_epochs=0.1"),
        *("--train_steps=2", "--num_validation_images=8"),
        *("--num_pictures=2", f"--workdir={pretrained}"),
    )
    assert result.returncode == 0, result.stderr
    workdir = tmp_path / "run"
    detect(
        *(workdir, *SCENES),
        *(f"--pretrained={pretrained}", "--train_steps=1"),
        *("--base_learning_rate=0", "--warmup_learning_rate=0"),
        *("--min_learning_rate=0", "--warmup_epochs=0"),
    )
    want, got = programs.tensors(pretrained, 2), programs.tensors(workdir, 1)
    names = [n for n in want if n.startswith("model/backbone/patch_embedding")]
    assert names
    for name in names:
        np.testing.assert_array_equal(got[name], want[name])


def write_coco(folder, num_images=24):
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


@pytest.mark.slow
def test_boxes_may_come_from_a_file_as_coco_has_it(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    file = write_coco(folder)
    # A bad image is named and replaced.
    (folder / "004.png").write_bytes(b"no image")
    result = detect(
        *(tmp_path / "run", f"--dataset=coco:{file}", "--train_steps=4"),
        *("--train_epochs=2", "--validation_split=test"),
    )
    found = evaluation(tmp_path / "run")
    assert found["num_images"] == 1
    assert found["classes"][0]["name"] == "the 0"
    assert "004.png" in result.stderr


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
def test_the_script_of_the_page_runs_as_it_stands(tmp_path):
    check = """
assert found["boxes"].shape == (16, 100, 4)
assert model.optimizer.iterations == 100
"""
    readme_test.run_script("docs/detection.md", check, tmp_path)
