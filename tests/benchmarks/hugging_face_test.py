"""Tests for benchmarks/hugging_face.py."""

import hugging_face
import numpy as np
import pytest


@pytest.mark.parametrize(
    "family, ours, theirs",
    [
        ("vit", "encoder.cls_token", "vit.embeddings.cls_token"),
        ("vit", "encoder.mask_token", "vit.embeddings.mask_token"),
        ("vit", "encoder.pos_embed", "vit.embeddings.position_embeddings"),
        (
            "vit",
            "encoder.patch_embed.proj.bias",
            "vit.embeddings.patch_embeddings.projection.bias",
        ),
        (
            "vit",
            "encoder.blocks.11.norm2.weight",
            "vit.layers.11.layernorm_after.weight",
        ),
        (
            "vit",
            "encoder.blocks.0.attn.proj.bias",
            "vit.layers.0.attention.o_proj.bias",
        ),
        ("vit", "encoder.norm.bias", "vit.layernorm.bias"),
        ("vit", "decoder.0.weight", "decoder.0.weight"),
        ("swin", "encoder.mask_token", "swin.embeddings.mask_token"),
        (
            "swin",
            "encoder.patch_embed.norm.weight",
            "swin.embeddings.norm.weight",
        ),
        (
            "swin",
            "encoder.layers.2.blocks.5.norm1.bias",
            "swin.encoder.layers.2.blocks.5.layernorm_before.bias",
        ),
        (
            "swin",
            "encoder.layers.0.blocks.1.attn.relative_position_bias_table",
            "swin.encoder.layers.0.blocks.1.attention.relative_position_bias"
            ".relative_position_bias_table",
        ),
        (
            "swin",
            "encoder.layers.1.downsample.norm.weight",
            "swin.encoder.layers.1.downsample.norm.weight",
        ),
        (
            "swin",
            "encoder.layers.3.blocks.0.mlp.fc1.weight",
            "swin.encoder.layers.3.blocks.0.mlp.fc1.weight",
        ),
    ],
)
def test_a_weight_has_its_name(family, ours, theirs):
    array = np.arange(6)
    renamed = hugging_face.to_hugging_face({ours: array}, family)
    assert list(renamed) == [theirs]
    np.testing.assert_array_equal(renamed[theirs], array)


def test_queries_keys_and_values_are_thirds_of_the_rows():
    weights = {
        "encoder.layers.0.blocks.0.attn.qkv.weight": np.arange(12).reshape(
            6, 2
        ),
        "encoder.layers.0.blocks.0.attn.qkv.bias": np.arange(6),
    }
    renamed = hugging_face.to_hugging_face(weights, "swin")
    start = "swin.encoder.layers.0.blocks.0.attention."
    expected = {
        "q_proj.weight": [[0, 1], [2, 3]],
        "k_proj.weight": [[4, 5], [6, 7]],
        "v_proj.weight": [[8, 9], [10, 11]],
        "q_proj.bias": [0, 1],
        "k_proj.bias": [2, 3],
        "v_proj.bias": [4, 5],
    }
    assert renamed.keys() == {start + name for name in expected}
    for name, values in expected.items():
        np.testing.assert_array_equal(renamed[start + name], values)


def test_keys_without_bias_get_one_of_zeros():
    weights = {
        "encoder.blocks.0.attn.q_bias": np.ones(3),
        "encoder.blocks.0.attn.v_bias": np.full(3, 2.0),
    }
    renamed = hugging_face.to_hugging_face(weights, "vit")
    start = "vit.layers.0.attention."
    assert {name: array[0] for name, array in renamed.items()} == {
        f"{start}q_proj.bias": 1,
        f"{start}k_proj.bias": 0,
        f"{start}v_proj.bias": 2,
    }
