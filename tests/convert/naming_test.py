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
    strange = {"embeddings.strange_tokens": np.ones([1, 4, 12])}
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
        "module.embeddings.cls_token": np.ones([1, 1, 12]),
    }
    for name, array in doubled.items():
        with pytest.raises(ValueError, match=f"each weight once.*{name}"):
            naming.reference_names({**renamed, name: array})


def test_a_bias_of_keys_may_be_missing_as_in_beit(vit):
    renamed = other_names.hugging_face(vit, 4, "model.beit.")
    keys = [n for n in renamed if n.endswith("attention.key.bias")]
    for name in keys:
        del renamed[name]
    block = "model.beit.encoder.layer.1."
    table = f"{block}attention.attention.relative_position_bias.relative_po"
    renamed |= {
        f"{block}lambda_2": np.ones([12]),
        f"{table}sition_bias_table": np.ones([7, 3]),
        f"{table}sition_index": np.ones([2, 2]),
        "model.beit.pooler.layernorm.bias": np.ones([12]),
        "model.classifier.bias": np.ones([5]),
        "model.lm_head.bias": np.ones([9]),
    }
    named = naming.reference_names(renamed)
    assert named.prefix == "model.beit."
    assert named.unused.keys() == {f"{table}sition_index"}
    new = named.weights.keys() - vit.keys()
    assert new == {
        *(f"blocks.{i}.attn.{x}_bias" for i in range(2) for x in "qv"),
        "blocks.1.gamma_2",
        "blocks.1.attn.relative_position_bias_table",
        "fc_norm.bias",
        "head.bias",
        "lm_head.bias",
    }
    query, _, value = np.split(vit["blocks.1.attn.qkv.bias"], 3)
    got = named.weights
    np.testing.assert_array_equal(got["blocks.1.attn.q_bias"], query)
    np.testing.assert_array_equal(got["blocks.1.attn.v_bias"], value)


def test_names_of_deit_beit_and_dinov2():
    block = "encoder.layer.0."
    renamed = {
        "embeddings.patch_embeddings.projection.weight": "patch_embed.proj"
        ".weight",
        "embeddings.distillation_token": "dist_token",
        "embeddings.register_tokens": "reg_token",
        f"{block}norm1.weight": "blocks.0.norm1.weight",
        f"{block}layer_scale2.lambda1": "blocks.0.gamma_2",
        # BEiT's, since transformers 5
        "layers.0.relative_position_bias.relative_position_bias_table": "block"
        "s.0.attn.relative_position_bias_table",
        "shared_position_bias.relative_position_bias_table": "rel_pos_bias"
        ".relative_position_bias_table",
        f"{block}mlp.fc2.bias": "blocks.0.mlp.fc2.bias",
        "cls_classifier.bias": "head.bias",
        "distillation_classifier.bias": "head_dist.bias",
        "embeddings.mask_token": "mask_token",
    }
    weights = {name: np.full([2, 3], i) for i, name in enumerate(renamed)}
    want = {new: weights[name] for name, new in renamed.items()}
    want["mask_token"] = weights["embeddings.mask_token"][np.newaxis]
    assert_same(naming.reference_names(weights), want)


@pytest.mark.parametrize(
    "start, inside",
    [
        ("", "decoder_"),  # MAE's authors
        ("model.", "decoder_"),
        ("", "decoder.decoder_"),  # ViTMAEForPreTraining
    ],
)
def test_a_decoder_of_mae_is_left_out_with_its_mask_token(vit, start, inside):
    is_hugging_face = inside.startswith("decoder.")
    weights = dict(vit)
    token = weights.pop("mask_token")
    encoder = {start + name: array for name, array in weights.items()}
    if is_hugging_face:
        encoder = other_names.hugging_face(weights, 4, "vit.")
    names = ["embed.weight", "blocks.0.norm1.bias", "pos_embed", "pred.bias"]
    decoder = {f"{start}{inside}{name}" for name in names}
    decoder.add(
        "decoder.mask_token" if is_hugging_face else f"{start}mask_token"
    )
    named = naming.reference_names(encoder | dict.fromkeys(decoder, token))
    assert_same(named, weights)
    why = "of MAE's decoder; the encoder alone is kept"
    assert named.unused == dict.fromkeys(decoder, why)


def test_names_of_another_network_and_of_none_are_kept_apart(vit):
    weights = {f"ema.{name}": array for name, array in vit.items()}
    others = {f"model.{name}": array for name, array in vit.items()}
    strange = {"temperature": np.ones([1])}
    named = naming.reference_names(weights | others | strange, "ema")
    assert_same(named, vit)
    assert named.prefix == "ema."
    assert named.unused.keys() == others.keys()
    assert named.strangers == ("temperature",)
