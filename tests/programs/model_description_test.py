"""Tests for programs/model_description.py."""

import pytest
from absl import flags
from absl.testing import flagsaver

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.programs import command_line
from tf_simmim.programs import model_description
from tf_simmim.programs.flags import data_flags  # noqa: F401  (flags of a run)
from tf_simmim.programs.flags import prediction_flags

FLAGS = flags.FLAGS
SIZE = (32, 64)


@pytest.fixture(autouse=True)
def restored_flags():
    with flagsaver.flagsaver():
        yield


def vit(**options):
    config = dict(embed_dim=12, depth=2, num_heads=3)
    return backbones.ViT(SIZE, 8, **{**config, **options})


BACKBONES = {
    "vit": vit,
    "others' vit": lambda: vit(
        qkv_bias="query_key_value",
        absolute_position="learned",
        relative_position="none",
        layer_scale_init=None,
        epsilon=1e-12,
        mlp_ratio=8 / 3,
    ),
    "fine-tuned vit": lambda: vit(
        relative_position="per_block", final_norm=False, class_token=False
    ),
    "preset": lambda: backbones.create("vit_nano", SIZE, depth=1),
    "swin": lambda: backbones.Swin(
        SIZE, embed_dim=6, depths=(1, 2), num_heads=(2, 3), window_size=(2, 4)
    ),
    "swin v2": lambda: backbones.Swin(
        SIZE,
        embed_dim=6,
        depths=(1, 1),
        num_heads=(2, 3),
        window_size=4,
        version=2,
        qkv_bias="none",
        channels=1,
    ),
}


@pytest.mark.parametrize("name", BACKBONES)
def test_the_flags_make_the_same_model(name, tmp_path):
    model = models.SimMIM(BACKBONES[name](), mask_patch_size=16, mask_ratio=0.5)
    path = tmp_path / "flags.txt"
    path.write_text(model_description.flags_text(model))
    command_line._require_run_flags(path)
    FLAGS.unparse_flags()
    FLAGS(["program", "--dataset=builtin:digits", f"--flagfile={path}"])
    got = prediction_flags.create_simmim(SIZE, FLAGS.channels, seed=0)
    want, config = model.get_config(), got.get_config()
    for one in (want, config):
        one.pop("name", None)
        one["backbone"]["config"].pop("name", None)
    assert config == want


def test_the_preset_is_the_closest_one():
    model = models.SimMIM(BACKBONES["preset"](), mask_patch_size=16)
    text = model_description.flags_text(model)
    assert "--backbone=vit_nano\n" in text
    assert "--image_size=32,64\n" in text
