"""Tests for what programs/segment.py trains, and for its flagfile."""

import pytest
from absl import flags

from tests.programs import task_context
from tests.programs.task_context import context_of
from tests.programs.task_context import parse
from tf_simmim import data
from tf_simmim.programs import pretrain  # noqa: F401  (defines the other flags)
from tf_simmim.programs import segment

FLAGS = flags.FLAGS
TASK = segment.Segmentation()


def test_the_recipe_is_of_the_network_that_is_pretrained_for_it():
    task_context.assert_recipe_continues_its_pretraining("segment")


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
    )
    source, held_out = TASK.open_sources()
    assert (len(source), len(held_out)) == (4096, 512)
    context = context_of(TASK, source, held_out)
    stream = TASK.training_stream(context, None, None)
    assert stream.with_segmentation and stream.seed == 4
    assert stream.transform.crop_scale == (0.3, 0.9)
    held_out = TASK.evaluation_stream(context, None, None)
    assert held_out.with_segmentation
    assert isinstance(held_out.transform, data.ResizeAndCentreCrop)
    assert held_out.transform.image_size == (32, 64)
    model = TASK.create_model(context_of(TASK, source), None, None)
    assert (model.num_classes, model.width, model.seed) == (11, 6, 4)
    assert model.class_weights is None


def test_classes_may_count_for_less():
    parse(
        "--dataset=builtin:digit_scenes",
        "--image_size=32,64",
        "--backbone=vit_nano",
        "--depth=1",
        "--patch_size=16",
        "--class_weights=0.1,2" + ",1" * 9,
    )
    source, _ = TASK.open_sources()
    model = TASK.create_model(context_of(TASK, source), None, None)
    assert model.class_weights == (0.1, 2.0, *[1.0] * 9)


@pytest.mark.parametrize("weights", ["1,2", "1" + ",1" * 9 + ",x", "0,1" * 6])
def test_weights_that_are_not_one_for_each_class_are_refused(weights):
    parse("--dataset=builtin:digit_scenes", f"--class_weights={weights}")
    source, _ = TASK.open_sources()
    message = "must be 11 positive numbers, for background, digit 0, .*Received"
    with pytest.raises(ValueError, match=message):
        TASK.create_model(context_of(TASK, source), None, None)


def test_images_whose_pixels_have_no_classes_are_refused():
    parse("--dataset=builtin:digits")
    with pytest.raises(ValueError, match="must have classes.*builtin:digits"):
        TASK.open_sources()
