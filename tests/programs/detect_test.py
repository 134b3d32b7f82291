"""Tests for what programs/detect.py trains, and for its flagfile."""

import json

import pytest
from absl import flags

from tests.programs import task_context
from tests.programs.task_context import context_of
from tests.programs.task_context import parse
from tf_simmim import data
from tf_simmim.programs import detect
from tf_simmim.programs import pretrain  # noqa: F401  (defines the other flags)

FLAGS = flags.FLAGS
TASK = detect.Detection()


def test_the_recipe_is_of_the_network_that_is_pretrained_for_it():
    task_context.assert_recipe_continues_its_pretraining("detect")


def test_flags_reach_the_model_and_the_streams():
    parse(
        "--dataset=builtin:digit_scenes",
        "--image_size=32,64",
        "--crop_scale=0.3,0.9",
        "--seed=4",
        "--backbone=vit_nano",
        "--embed_dim=12",
        "--depth=1",
        "--patch_size=16",
        "--pyramid_width=6",
        "--num_convolutions=1",
    )
    source, held_out = TASK.open_sources()
    assert (len(source), len(held_out)) == (4096, 512)
    context = context_of(TASK, source, held_out)
    stream = TASK.training_stream(context, None, None)
    assert stream.with_boxes and stream.seed == 4
    assert not stream.with_segmentation
    assert stream.transform.crop_scale == (0.3, 0.9)
    held_out = TASK.evaluation_stream(context, None, None)
    assert held_out.with_boxes
    assert isinstance(held_out.transform, data.ResizeAndCentreCrop)
    assert held_out.transform.image_size == (32, 64)
    model = TASK.create_model(context_of(TASK, source), None, None)
    assert (model.num_classes, model.width, model.seed) == (10, 6, 4)
    assert model.num_convolutions == 1


def test_a_few_labelled_images_are_those_of_the_seed():
    chosen = []
    for seed in (4, 4, 5):
        parse(
            "--dataset=builtin:digit_scenes",
            "--num_labelled_images=7",
            f"--seed={seed}",
        )
        source, held_out = TASK.open_sources()
        assert (len(source), len(held_out)) == (7, 512)
        chosen.append(source.indices.tolist())
    assert chosen[0] == chosen[1] != chosen[2]
    parse("--dataset=builtin:digit_scenes", "--num_labelled_images=5000")
    with pytest.raises(ValueError, match="must be in 1..4096"):
        TASK.open_sources()


def test_images_are_not_trained_on_and_held_out():
    parse("--dataset=builtin:digit_scenes", "--split=all")
    with pytest.raises(ValueError, match="--split="):
        TASK.open_sources()


def test_classes_without_boxes_are_logged(tmp_path, caplog):
    images = [{"id": n, "file_name": f"{n}.png"} for n in range(3)]
    for image in images:
        (tmp_path / image["file_name"]).write_bytes(b"")
    content = {
        "images": images,
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "yak"}],
        "annotations": [
            {"image_id": n, "category_id": 1, "bbox": [0, 0, 5, 5]}
            for n in range(3)
        ],
    }
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps(content))
    parse(f"--dataset=coco:{file}")
    source, held_out = TASK.open_sources()
    assert (len(source), len(held_out)) == (2, 1)
    assert "1 of 2 classes have no training box: yak." in caplog.text


def test_images_without_boxes_are_refused():
    parse("--dataset=builtin:digits")
    with pytest.raises(ValueError, match="must have boxes.*builtin:digits"):
        TASK.open_sources()
