"""Tests for tf_simmim.convert.naming.

`hugging_face_test.py` and `timm_test.py` compare with the real ones, where they
are installed.
"""

import numpy as np
import pytest

from tests.convert import other_names
from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim.convert import naming


@pytest.fixture(scope="module")
def vit():
    """Weights of a ViT as Hugging Face and timm have it, all different."""
    backbone = backbones.ViT(
        (16, 24),
        8,
        embed_dim=12,
        depth=2,
        num_heads=3,
        channels=2,
        qkv_bias="query_key_value",
        absolute_position="learned",
        relative_position="none",
        layer_scale_init=None,
    )
    return all_different(convert.reference_weights(backbone))


@pytest.fixture(scope="module")
def swin():
    backbone = backbones.Swin(
        (32, 48),
        embed_dim=6,
        depths=(1, 2, 1),
        num_heads=(1, 2, 3),
        window_size=2,
    )
    return all_different(convert.reference_weights(backbone))


def all_different(weights):
    start = 0
    result = {}
    for name, array in weights.items():
        result[name] = np.arange(
            start, start + array.size, dtype=np.float32
        ).reshape(array.shape)
        start += array.size
    return result


def assert_same(named, weights):
    assert named.weights.keys() == weights.keys()
    for name, want in weights.items():
        np.testing.assert_array_equal(named.weights[name], want)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("prefix", ["", "vit."])
def test_hugging_face_vit(vit, version, prefix):
    renamed = other_names.hugging_face(vit, version, prefix)
    named = naming.reference_names(renamed)
    assert named.naming == "Hugging Face"
    assert_same(named, vit)
    sources = [s for names in named.sources.values() for s in names]
    assert sorted(sources) == sorted(renamed)
    assert len(named.sources["blocks.1.attn.qkv.bias"]) == 3


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("prefix", ["", "swin."])
def test_hugging_face_swin(swin, version, prefix):
    renamed = other_names.hugging_face(swin, version, prefix)
    assert_same(naming.reference_names(renamed), swin)


def test_the_names_themselves():
    """Spelled out, so that a mistake made twice would be seen."""
    block, size = "swin.encoder.layers.1.blocks.0.", [2, 2]
    renamed = {
        "swin.embeddings.patch_embeddings.projection.weight": 0,
        f"{block}attention.self.query.weight": 1,
        f"{block}attention.self.key.weight": 2,
        f"{block}attention.self.value.weight": 3,
        f"{block}attention.self.relative_position_bias_table": 4,
        f"{block}attention.output.dense.weight": 5,
        f"{block}layernorm_after.bias": 6,
        f"{block}intermediate.dense.bias": 7,
        f"{block}output.dense.bias": 8,
        "swin.encoder.layers.0.downsample.reduction.weight": 9,
        "swin.layernorm.weight": 10,
        "decoder.0.weight": 11,
        "classifier.weight": 12,
    }
    weights = {name: np.full(size, v) for name, v in renamed.items()}
    named = naming.reference_names(weights)
    ours = "layers.1.blocks.0."
    want = {
        "patch_embed.proj.weight": 0,
        f"{ours}attn.relative_position_bias_table": 4,
        f"{ours}attn.proj.weight": 5,
        f"{ours}norm2.bias": 6,
        f"{ours}mlp.fc1.bias": 7,
        f"{ours}mlp.fc2.bias": 8,
        "layers.0.downsample.reduction.weight": 9,
        "norm.weight": 10,
        "decoder.0.weight": 11,
        "head.weight": 12,
    }
    qkv = named.weights.pop(f"{ours}attn.qkv.weight")
    assert qkv[:, 0].tolist() == [1, 1, 2, 2, 3, 3]
    got = {name: array[0, 0] for name, array in named.weights.items()}
    assert got == want


def test_timm_counts_a_merging_to_the_stage_that_it_begins(swin):
    renamed = other_names.timm(swin)
    assert "layers.2.downsample.norm.weight" in renamed
    named = naming.reference_names(renamed)
    assert named.naming == "the reference or timm"
    assert_same(named, swin)
    # The reference, and timm before 0.9, count it to the one that it ends.
    assert_same(naming.reference_names(swin), swin)


def test_other_names_of_timm(vit):
    scaled = {**vit, "blocks.0.gamma_1": np.ones([12])}
    renamed = {**other_names.timm(scaled), "head.fc.weight": np.ones([5, 12])}
    assert "blocks.0.ls1.gamma" in renamed
    named = naming.reference_names(renamed)
    assert_same(named, {**scaled, "head.weight": np.ones([5, 12])})
    assert named.sources["head.weight"] == ("head.fc.weight",)


def test_simmim_loses_its_prefix_and_parallel_training_too(vit):
    weights = {f"encoder.{name}": array for name, array in vit.items()}
    weights["decoder.0.bias"] = np.ones([3])
    want = {**vit, "decoder.0.bias": np.ones([3])}
    for prefix in ("", "module."):
        named = naming.reference_names(
            {prefix + name: array for name, array in weights.items()}
        )
        assert named.naming == "SimMIM's reference"
        assert_same(named, want)
        assert named.sources["cls_token"] == (f"{prefix}encoder.cls_token",)


@pytest.mark.parametrize(
    "name",
    [
        "layers.0.blocks.1.attn_mask",
        "layers.0.blocks.0.attn.relative_position_index",
        "layers.0.blocks.0.attn.relative_coords_table",
    ],
)
def test_constants_are_kept_apart(swin, name):
    named = naming.reference_names({**swin, name: np.ones([2, 2])})
    assert_same(named, swin)
    assert named.constants.keys() == {name}
    assert named.unused == {name: "a constant, which is computed here"}


@pytest.mark.parametrize("version", [4, 5])
def test_constants_of_hugging_face_are_too(swin, version):
    renamed = other_names.hugging_face(swin, version)
    table = next(n for n in renamed if n.endswith("_bias_table"))
    index = table.replace("bias_table", "index")
    named = naming.reference_names({**renamed, index: np.ones([2, 2])})
    assert_same(named, swin)
    assert named.unused.keys() == {index}


def test_a_name_that_is_not_understood_stays_as_it_is(vit):
    strange = {"embeddings.register_tokens": np.ones([1, 4, 12])}
    renamed = {**other_names.hugging_face(vit, 4), **strange}
    assert_same(naming.reference_names(renamed), {**vit, **strange})


def test_queries_keys_and_values_come_together_or_not_at_all(vit):
    renamed = other_names.hugging_face(vit, 4)
    key = "encoder.layer.1.attention.attention.key.weight"
    part = {name: array for name, array in renamed.items() if name != key}
    with pytest.raises(
        ValueError, match=r"for blocks.1.attn.qkv.weight.*query.weight.*12, 12"
    ):
        naming.reference_names(part)
    renamed[key] = renamed[key][:3]
    with pytest.raises(ValueError, match=r"all of one shape.*\(3, 12\)"):
        naming.reference_names(renamed)


def test_two_names_of_one_weight_are_refused(vit):
    renamed = other_names.hugging_face(vit, 4)
    doubled = {
        "layers.0.mlp.fc1.bias": np.ones([48]),
        "encoder.layer.1.attention.q_proj.bias": np.ones([12]),
        "vit.embeddings.cls_token": np.ones([1, 1, 12]),
    }
    for name, array in doubled.items():
        with pytest.raises(ValueError, match=f"each weight once.*{name}"):
            naming.reference_names({**renamed, name: array})


def test_what_has_no_patch_embedding_is_refused():
    names = {f"conv{i}.weight": np.ones([2]) for i in range(9)}
    with pytest.raises(ValueError, match=r"of a ViT or Swin.*conv0.*\.\.\.\."):
        naming.reference_names(names)
    with pytest.raises(ValueError, match=r"Received names: \[\]\."):
        naming.reference_names({})
