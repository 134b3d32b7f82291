"""Tests for what programs/finetune.py trains, and for its flagfiles."""

import dataclasses
import pathlib

import numpy as np
import pytest
from absl import flags
from PIL import Image

from tests.programs.task_context import context_of
from tests.programs.task_context import parse
from tests.run import records
from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import run
from tf_simmim.programs import finetune
from tf_simmim.programs.flags import optimization_flags
from tf_simmim.training import manifests

FLAGS = flags.FLAGS
FOLDER = pathlib.Path(__file__).parents[2] / "experiments"
RECIPES = sorted(
    path
    for path in (FOLDER / "flags").glob("*.flags")
    if "experiments/finetune.py" in path.read_text()
)


TASK = finetune.Classification()


def test_there_are_the_promised_recipes():
    assert {path.stem for path in RECIPES} >= {
        *("digits_finetune", "vitb_finetune", "swinb_100ep_finetune"),
        *("swinb_100ep_finetune_192", "swinb_800ep_finetune"),
    }


@pytest.mark.parametrize(
    "name, size, window, decay",
    [
        ("vitb_finetune", "224", None, 0.65),
        ("swinb_100ep_finetune_192", "192", ["6"], 0.9),
        ("swinb_100ep_finetune", "224", ["7"], 0.9),
        ("swinb_800ep_finetune", "224", ["7"], 0.8),
    ],
)
def test_recipes_are_those_of_the_reference(name, size, window, decay):
    parse(f"--flagfile={FOLDER}/flags/{name}.flags")
    wanted = {
        "name": f"simmim_{name}",
        "image_size": [size],
        "window_size": window,
        "layer_decay": decay,
        "crop_scale": ["0.08", "1"],
        "crop_fraction": 0.875,
        "rand_augment_operations": 2,
        "rand_augment_magnitude": 9.0,
        "rand_augment_stddev": 0.5,
        "erasing_rate": 0.25,
        "mixup_alpha": 0.8,
        "cutmix_alpha": 1.0,
        "mix_rate": 1.0,
        "mix_switch_rate": 0.5,
        "label_smoothing": 0.1,
        "drop_path_rate": 0.1,
        "weight_decay": 0.05,
        "clip_global_norm": 5.0,
        "train_epochs": 100,
        "global_batch_size": 2048,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "optimizer": "adamw",
        "weight_decay_grouping": "reference",
        "backbone": "vit_base" if name.startswith("vit") else "swin_base",
    }
    assert {flag: FLAGS[flag].value for flag in wanted} == wanted
    schedule = optimization_flags.create_schedule(1281167)
    assert float(schedule(0)) == pytest.approx(1e-6, rel=1e-4)
    # The reference's cosine counts from the start: 0.9045 at 20 of 100.
    want = 1e-6 + (5e-3 - 1e-6) * 0.904508
    assert float(schedule(20 * 625)) == pytest.approx(want, rel=1e-4)
    assert float(schedule(100 * 625)) == pytest.approx(1e-6, rel=1e-4)


def test_flags_reach_the_augmentation_and_the_mixing():
    parse(
        "--dataset=builtin:digits",
        "--image_size=24,40",
        "--crop_scale=0.3,0.9",
        "--nohorizontal_flip",
        "--rand_augment_operations=3",
        "--rand_augment_magnitude=5",
        "--rand_augment_stddev=0.2",
        "--erasing_rate=0.7",
        "--mixup_alpha=0.3",
        "--cutmix_alpha=0.6",
        "--mix_rate=0.9",
        "--mix_switch_rate=0.2",
        "--label_smoothing=0.05",
        "--num_labels=20",
        "--seed=4",
        "--crop_fraction=0.8",
    )
    source, held_out = TASK.open_sources()
    assert (len(source), len(held_out)) == (20, 360)
    assert source.class_names == held_out.class_names
    context = context_of(TASK, source, held_out)
    stream = TASK.training_stream(context, None, None)
    augment = stream.transform
    assert isinstance(augment, data.FinetuningAugmentation)
    assert (augment.image_size, stream.seed) == ((24, 40), 4)
    assert augment.crop_scale == (0.3, 0.9)
    assert not augment.horizontal_flip
    rand_augment = augment.rand_augment
    assert rand_augment.num_operations == 3
    assert rand_augment.magnitude == 5
    assert rand_augment.magnitude_stddev == 0.2
    assert augment.erasing.rate == 0.7
    mix = TASK.batch_mix(context)
    assert (mix.mixup_alpha, mix.cutmix_alpha) == (0.3, 0.6)
    assert (mix.rate, mix.switch_rate) == (0.9, 0.2)
    assert (mix.label_smoothing, mix.num_classes) == (0.05, 10)
    crop = TASK.evaluation_stream(context, None, None).transform
    assert (crop.image_size, crop.crop_fraction) == ((24, 40), 0.8)


def write_record(folder, mean, std):
    told = records.record()
    told_input = dataclasses.replace(
        told.input, channels=1, bands=None, mean=mean, std=std
    )
    run.write_record(folder, dataclasses.replace(told, input=told_input))


def statistics():
    normalization = TASK.normalization(TASK.open_sources()[0])
    return normalization.mean, normalization.std


def test_the_statistics_are_those_of_the_pretraining_unless_given(tmp_path):
    write_record(tmp_path, [0.4], [0.25])
    digits = ("--dataset=builtin:digits", f"--pretrained={tmp_path}")
    parse(*digits)
    assert statistics() == ((0.4,), (0.25,))
    parse(*digits, "--image_mean=0.1", "--image_std=0.2")
    assert statistics() == ((0.1,), (0.2,))
    write_record(tmp_path, None, None)  # as of converted weights
    parse(*digits)
    assert statistics()[0] == (0.30911,)  # of the digits
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "checkpoints/step-00000001").mkdir(parents=True)
    parse(*digits)
    with pytest.raises(ValueError, match="run.json that tf_simmim has written"):
        statistics()


def test_a_run_that_goes_on_has_its_own_statistics(tmp_path):
    write_record(tmp_path, [0.4], [0.25])
    gone = tmp_path / "gone"
    parse(
        "--dataset=builtin:digits",
        f"--pretrained={gone}",
        f"--workdir={tmp_path}",
    )
    assert statistics() == ((0.4,), (0.25,))


def test_statistics_of_a_checkpoint_outweigh_an_edited_record(tmp_path):
    settings = {"image_mean": [0.4], "image_std": ".25"}
    checkpoint = tmp_path / "checkpoints/step-00000001"
    checkpoint.mkdir(parents=True)
    manifests.write(checkpoint, [], 1, {"settings": settings})
    write_record(tmp_path, [0.3], [0.5])
    parse(
        "--dataset=builtin:digits",
        "--pretrained=gone",
        f"--workdir={tmp_path}",
    )
    assert statistics() == ((0.4,), (0.25,))
    (tmp_path / "run.json").write_text("{")
    assert statistics() == ((0.4,), (0.25,))


def test_images_are_not_trained_on_and_held_out():
    everything = ("--dataset=builtin:digits", "--split=all")
    parse(*everything)
    with pytest.raises(ValueError, match="must not hold the held-out ones"):
        TASK.open_sources()
    parse(*everything, "--validation_split=")
    source, held_out = TASK.open_sources()
    assert len(source) == 1797 and held_out is None
    parse(*everything, "--validation_dataset=builtin:digits")
    assert len(TASK.open_sources()[1]) == 1797


def test_images_of_other_channels_than_the_pretrained_are_refused(tmp_path):
    parse(
        "--dataset=builtin:digits",
        f"--pretrained={tmp_path}",
        "--backbone=vit_nano",
        "--depth=1",
        "--image_size=16",
    )
    source, _ = TASK.open_sources()
    pretrained = backbones.create("vit_nano", 16, depth=1, channels=3)
    with pytest.raises(ValueError, match="--channels must be 3, .* of 1"):
        TASK.create_model(context_of(TASK, source), None, pretrained)


def _write_images(folder, names):
    for name in names:
        path = folder / name / f"{name}.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.zeros([6, 9, 3], np.uint8)).save(path)


def test_held_out_images_of_other_classes_are_refused(tmp_path):
    _write_images(tmp_path / "here", ["ant", "bee"])
    _write_images(tmp_path / "there", ["ant", "cat"])
    parse(
        f"--dataset=folder:{tmp_path / 'here'}",
        f"--validation_dataset=folder:{tmp_path / 'there'}",
    )
    with pytest.raises(ValueError, match="held out: cat;"):
        TASK.open_sources()


def test_the_model_has_the_networks_flags_and_the_sources_names():
    parse(
        "--dataset=builtin:digits",
        "--backbone=vit_nano",
        "--embed_dim=12",
        "--depth=2",
        "--image_size=16,24",
        "--label_smoothing=0.2",
        "--seed=5",
    )
    source, _ = TASK.open_sources()
    model = TASK.create_model(context_of(TASK, source), None, None)
    assert isinstance(model.backbone, backbones.ViT)
    assert model.backbone.image_size == (16, 24)
    assert not model.backbone.final_norm
    assert model.class_names == tuple("0123456789")
    assert (model.label_smoothing, model.seed) == (0.2, 5)
