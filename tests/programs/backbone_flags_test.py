"""Tests for programs/flags/backbone_flags.py: flags describe any backbone."""

import pytest
from absl import flags

from tf_simmim import backbones
from tf_simmim.programs.flags import backbone_flags

FLAGS = flags.FLAGS
SIZE = (32, 64)


def vit(**options):
    config = dict(embed_dim=12, depth=2, num_heads=3)
    return backbones.ViT(SIZE, 8, **{**config, **options})


def swin(**options):
    config = dict(embed_dim=6, depths=(1, 2), num_heads=(2, 3), window_size=4)
    return backbones.Swin(SIZE, **{**config, **options})


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
    "pruned vit": lambda: vit(
        relative_position="none",
        num_heads=(3, 2),
        key_dims=(4, 2),
        value_dims=3,
        mlp_dims=(5, 7),
        register_tokens=2,
        reduce_tokens=(0, 3),
    ),
    "preset": lambda: backbones.create("vit_nano", SIZE, depth=1),
    "swin": lambda: swin(window_size=(2, 4), mlp_dims=(3, 4, 5), key_dims=2),
    "swin v2": lambda: swin(version=2, qkv_bias="none", channels=1),
}


@pytest.mark.parametrize("name", BACKBONES)
def test_the_flagfile_of_a_backbone_makes_its_like(name, tmp_path):
    backbone = BACKBONES[name]()
    path = tmp_path / "flags.txt"
    path.write_text(backbone_flags.flagfile(backbone))
    FLAGS.unparse_flags()
    FLAGS(["program", "--dataset=builtin:digits", f"--flagfile={path}"])
    made = backbone_flags.create_backbone(SIZE, backbone.channels)
    want, got = backbone.get_config(), made.get_config()
    assert got == want


def test_the_preset_is_the_closest_one():
    text = backbone_flags.flagfile(BACKBONES["preset"]())
    assert "--backbone=vit_nano\n" in text
