"""Tests for tf_simmim.convert.conversion.

Parity with Hugging Face's and timm's own models: `hugging_face_test.py` and
`timm_test.py`, where these are installed.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.convert import golden_weights
from tests.convert import other_names
from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import models

GOLDEN = [
    "simmim_vit",
    "simmim_swin",
    "classifier_vit",
    pytest.param("classifier_swin", marks=pytest.mark.slow),
]
NEW = "new, as at the start of pretraining"


def assert_same_bits(got, want):
    assert got.keys() == want.keys()
    for name, array in want.items():
        assert got[name].shape == array.shape, name
        assert got[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("name", GOLDEN)
def test_a_file_of_the_reference_comes_through_bit_for_bit(name, tmp_path):
    """File, model, file: the same bytes; and the reference's outputs."""
    weights, golden, config = golden_weights.load(name)
    path = tmp_path / "in.safetensors"
    convert.write_safetensors(path, weights)
    keep_head = name.startswith("classifier")
    conversion = convert.convert_weights(
        convert.read_safetensors(path), keep_head=keep_head
    )
    model, report = conversion.model, conversion.report

    back = convert.reference_weights(model)
    assert_same_bits(back, weights)
    convert.write_safetensors(tmp_path / "out.safetensors", back)
    out = (tmp_path / "out.safetensors").read_bytes()
    assert out == path.read_bytes()
    assert report.used == {n: n for n in weights}
    assert report.unused == report.missing == {}
    assert report.rounded == ()
    assert model.backbone.image_size == (config["image_size"],) * 2

    images = golden["image_nhwc"]
    if keep_head:
        np.testing.assert_allclose(model(images), golden["logits"], 0, 2e-5)
        return
    outputs = model.reconstruct(images, golden["patch_mask"])
    for key in ("features", "reconstruction"):
        want = golden[f"{key}_nhwc"]
        np.testing.assert_allclose(outputs[key], want, 0, 2e-5)


@functools.cache
def source(kind):
    """A backbone that timm and Hugging Face could have, with any weights."""
    if kind == "vit":
        backbone = backbones.ViT(
            16,
            8,
            embed_dim=12,
            depth=2,
            num_heads=3,
            qkv_bias="query_key_value",
            absolute_position="learned",
            relative_position="none",
            layer_scale_init=None,
            epsilon=1e-12,
        )
    else:
        backbone = backbones.Swin(
            32,
            embed_dim=6,
            depths=(1, 2, 1),
            num_heads=(1, 2, 3),
            window_size=2,
        )
    rng = np.random.default_rng(0)
    for variable in backbone.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return backbone


KNOWN = {
    "vit": convert.ModelFacts(num_heads=3, epsilon=1e-12),
    "swin": convert.ModelFacts(),
}


@pytest.mark.parametrize("kind", ["vit", "swin"])
@pytest.mark.parametrize(
    "rename",
    [
        functools.partial(other_names.hugging_face, version=4),
        pytest.param(
            functools.partial(
                other_names.hugging_face, version=5, prefix="swin."
            ),
            marks=pytest.mark.slow,  # `naming_test.py` has its names
        ),
        other_names.timm,
    ],
    ids=["transformers 4", "transformers 5", "timm"],
)
def test_an_encoder_of_others_gives_the_same_features(kind, rename):
    backbone = source(kind)
    weights = convert.reference_weights(backbone)
    del weights["mask_token"]
    renamed = rename(weights)
    conversion = convert.convert_weights(renamed, KNOWN[kind])

    assert isinstance(conversion.model, models.SimMIM)
    got = conversion.model.backbone
    images = np.random.default_rng(1).normal(size=[2, *got.image_size, 3])
    np.testing.assert_array_equal(got(images), backbone(images))
    back = convert.reference_weights(got)
    del back["mask_token"]
    assert_same_bits(back, weights)

    report = conversion.report
    assert report.used.keys() == renamed.keys()
    assert report.missing == {
        "decoder.0.bias": NEW,
        "decoder.0.weight": NEW,
        "encoder.mask_token": NEW,
    }


def test_hugging_face_vits_have_an_epsilon_of_their_own():
    weights = convert.reference_weights(source("vit"))
    facts = convert.ModelFacts(num_heads=3)
    for rename, epsilon in (
        (functools.partial(other_names.hugging_face, version=4), 1e-12),
        (other_names.timm, 1e-6),
    ):
        conversion = convert.convert_weights(rename(weights), facts)
        assert conversion.model.backbone.epsilon == epsilon


def test_what_the_file_lacks_is_new_and_the_same_for_the_same_seed():
    weights = convert.reference_weights(source("vit"))
    del weights["mask_token"]
    tokens = []
    for _ in range(2):
        tf.keras.utils.set_random_seed(3)
        model = convert.convert_weights(weights, KNOWN["vit"]).model
        tokens.append(model.backbone.mask_token.mask_token.numpy())
    np.testing.assert_array_equal(*tokens)
    assert 0 < tokens[0].std() < 0.1


def test_known_leftovers_are_listed_with_their_reason():
    weights = other_names.hugging_face(
        convert.reference_weights(source("vit")), 4, "vit."
    )
    weights |= {
        "vit.pooler.dense.weight": np.ones([12, 12]),
        "vit.pooler.dense.bias": np.ones([12]),
        "classifier.weight": np.ones([5, 12]),
        "classifier.bias": np.ones([5]),
    }
    weights = {
        name.replace("vit.pooler", "pooler"): array
        for name, array in weights.items()
    }
    report = convert.convert_weights(weights, KNOWN["vit"]).report
    head = "a classification head; the encoder alone is kept"
    assert report.unused == {
        "classifier.bias": head,
        "classifier.weight": head,
        "pooler.dense.bias": "for a head on the class token",
        "pooler.dense.weight": "for a head on the class token",
    }


def test_the_head_of_a_fine_tuned_vit_can_be_left_out():
    weights, _, _ = golden_weights.load("classifier_vit")
    conversion = convert.convert_weights(weights)
    assert not conversion.model.backbone.final_norm
    assert conversion.report.unused.keys() == {
        "head.weight",
        "head.bias",
        "fc_norm.weight",
        "fc_norm.bias",
    }


def test_every_name_without_a_place_is_refused_unless_it_is_allowed():
    weights = convert.reference_weights(source("vit"))
    weights["blocks.0.attn.q_norm.weight"] = np.ones([4])
    weights["reg_token"] = np.ones([1, 4, 12])
    allowed = ["blocks.0.attn.q_norm.weight", "reg_token"]
    first, second = map(repr, allowed)
    with pytest.raises(
        ValueError, match=rf"No place for: \[{first}, {second}\] \(`allow_un"
    ):
        convert.convert_weights(weights, KNOWN["vit"])
    with pytest.raises(ValueError, match=rf"No place for: \[{second}\]"):
        convert.convert_weights(weights, KNOWN["vit"], allow_unused=allowed[:1])
    for patterns in (allowed, ["*q_norm*", "reg_*"]):
        report = convert.convert_weights(
            weights, KNOWN["vit"], allow_unused=patterns
        ).report
        assert report.unused == dict.fromkeys(allowed, "allowed by name")
        with pytest.raises(ValueError, match=r"patterns of them.*\['foo\*'\]"):
            convert.convert_weights(
                weights, KNOWN["vit"], allow_unused=[*patterns, "foo*"]
            )


def test_a_name_that_is_allowed_is_ignored_though_the_network_has_it():
    weights = convert.reference_weights(source("vit"))
    tf.keras.utils.set_random_seed(3)
    conversion = convert.convert_weights(
        weights, KNOWN["vit"], allow_unused=["norm.*", "blocks.1.mlp.fc?.bias"]
    )
    ignored = {
        "norm.weight",
        "norm.bias",
        "blocks.1.mlp.fc1.bias",
        "blocks.1.mlp.fc2.bias",
    }
    report = conversion.report
    assert report.unused == dict.fromkeys(ignored, "allowed by name")
    assert report.used.keys() == weights.keys() - ignored
    instead = "new, since what the file has is ignored as allowed"
    assert ignored == {
        name.removeprefix("encoder.")
        for name, why in report.missing.items()
        if why == instead
    }
    got = convert.reference_weights(conversion.model.backbone)
    np.testing.assert_array_equal(got["norm.weight"], np.ones([12]))
    np.testing.assert_array_equal(got["blocks.1.mlp.fc1.bias"], np.zeros([48]))
    kept = "blocks.0.mlp.fc1.bias"
    np.testing.assert_array_equal(got[kept], weights[kept])


def test_not_all_weights_can_be_ignored():
    weights = convert.reference_weights(source("vit"))
    with pytest.raises(ValueError, match=r"must leave.*\['\*'\], which match"):
        convert.convert_weights(weights, KNOWN["vit"], allow_unused=["*"])


def test_the_prefix_is_told_and_strangers_are_refused_unless_allowed():
    plain = convert.reference_weights(source("vit"))
    weights = {f"module.backbone.{n}": array for n, array in plain.items()}
    weights["norm.bias"] = np.full([12], 7.0)
    with pytest.raises(ValueError, match=r"No place for: \['norm.bias'\]"):
        convert.convert_weights(weights, KNOWN["vit"])
    conversion = convert.convert_weights(
        weights, KNOWN["vit"], allow_unused=["norm.bias"]
    )
    assert conversion.report.prefix == "module.backbone."
    assert conversion.report.unused == {"norm.bias": "allowed by name"}
    back = convert.reference_weights(conversion.model.backbone)
    assert_same_bits(back, plain)


def test_of_two_networks_the_one_with_the_prefix_is_taken():
    plain = convert.reference_weights(source("vit"))
    weights = {f"teacher.{n}": array for n, array in plain.items()}
    weights |= {f"student.{n}": 2 * array for n, array in plain.items()}
    with pytest.raises(ValueError, match="'student.', 'teacher.'. Received: N"):
        convert.convert_weights(weights, KNOWN["vit"])
    conversion = convert.convert_weights(
        weights, KNOWN["vit"], prefix="teacher."
    )
    back = convert.reference_weights(conversion.model.backbone)
    assert_same_bits(back, plain)
    lines = conversion.report.text().splitlines()
    assert lines[1] == "They stood under 'teacher.', which was taken off."
    (line,) = [line for line in lines if "of another network" in line]
    assert f"({len(plain)} names)" in line


def test_a_class_token_without_a_position_changes_no_feature():
    """As in DeiT III, and in timm's DINOv2 with registers (`reg4`)."""
    weights = convert.reference_weights(source("vit"))
    without = {**weights, "pos_embed": weights["pos_embed"][:, 1:]}
    weights["pos_embed"] = weights["pos_embed"].copy()
    weights["pos_embed"][:, 0] = 0
    without["reg_token"] = np.ones([1, 4, 12])
    with pytest.raises(ValueError, match=r"No place for: \['reg_token'\]"):
        convert.convert_weights(without, KNOWN["vit"])
    conversion = convert.convert_weights(
        without, KNOWN["vit"], allow_unused=["reg_token"]
    )
    back = convert.reference_weights(conversion.model.backbone)
    assert_same_bits(back, weights)
    assert "Changed: pos_embed has no row for the class token" in (
        conversion.report.text()
    )


def test_a_file_of_mae_converts_with_one_line_for_its_decoder():
    weights = convert.reference_weights(source("vit"))
    weights["mask_token"] = np.ones([1, 1, 7])  # the decoder's
    decoder = [f"blocks.{i}.{x}.bias" for i in range(3) for x in "abcdefghi"]
    decoder = [f"decoder_{name}" for name in (*decoder, "embed.weight")]
    weights |= dict.fromkeys(decoder, np.ones([2]))
    report = convert.convert_weights(weights, KNOWN["vit"]).report
    assert report.unused.keys() == {*decoder, "mask_token"}
    (line,) = [x for x in report.text().splitlines() if "decoder_" in x]
    assert line.endswith(
        "(29 names): of MAE's decoder; the encoder alone is kept"
    )


def test_every_missing_name_is_refused():
    weights = convert.reference_weights(source("swin"))
    del weights["norm.bias"], weights["layers.1.blocks.1.mlp.fc2.weight"]
    with pytest.raises(
        ValueError,
        match=r"none.*1.mlp.fc2.weight', 'encoder.norm.bias'\]",
    ):
        convert.convert_weights(weights)


def test_a_vit_without_a_final_norm_is_not_taken_for_a_fine_tuned_one():
    weights = convert.reference_weights(source("vit"))
    del weights["norm.weight"], weights["norm.bias"]
    with pytest.raises(ValueError, match=r"'encoder.norm.bias', 'enc.*weight"):
        convert.convert_weights(weights, KNOWN["vit"])


def test_a_weight_of_another_shape_is_refused():
    weights = convert.reference_weights(source("vit"))
    weights["blocks.1.norm1.weight"] = np.ones([13])
    with pytest.raises(ValueError, match=r"norm1.weight: \(13,\), needed"):
        convert.convert_weights(weights, KNOWN["vit"])


@pytest.mark.parametrize("name", ["simmim_swin", "simmim_vit"])
def test_a_head_that_is_not_there_cannot_be_kept(name):
    weights, _, _ = golden_weights.load(name)
    with pytest.raises(ValueError, match="`keep_head` needs.*Received"):
        convert.convert_weights(weights, keep_head=True)


def test_a_head_on_a_class_token_cannot_be_kept():
    weights = convert.reference_weights(source("vit"))
    weights |= {"head.weight": np.ones([5, 12]), "head.bias": np.ones([5])}
    with pytest.raises(ValueError, match="'head.weight', 'norm.bias'"):
        convert.convert_weights(weights, KNOWN["vit"], keep_head=True)


def test_other_precisions():
    weights = convert.reference_weights(source("vit"))
    halves = {name: a.astype(np.float16) for name, a in weights.items()}
    conversion = convert.convert_weights(halves, KNOWN["vit"])
    assert conversion.report.rounded == ()
    back = convert.reference_weights(conversion.model.backbone)
    singles = {name: a.astype(np.float32) for name, a in halves.items()}
    assert_same_bits(back, singles)

    doubles = {name: a.astype(np.float64) for name, a in weights.items()}
    doubles["norm.bias"] = doubles["norm.bias"] + 1e-12
    conversion = convert.convert_weights(doubles, KNOWN["vit"])
    assert conversion.report.rounded == ("norm.bias",)
    doubles["norm.bias"] = np.full_like(doubles["norm.bias"], -1e300)
    with pytest.raises(ValueError, match=r"finite in float32.*bias up to 1e\+"):
        convert.convert_weights(doubles, KNOWN["vit"])

    # What is left out may be anything.
    weights["dino_loss.center"] = np.float32([0, np.nan])
    conversion = convert.convert_weights(
        weights, KNOWN["vit"], allow_unused=["dino_loss.*"]
    )
    assert conversion.report.unused.keys() == {"dino_loss.center"}


@pytest.mark.parametrize(
    "size, patch, want",
    [((64, 96), 8, 32), ((64, 32), 8, 8), ((40, 32), 8, 8), (72, 24, 24)],
)
def test_the_mask_patch_fits_the_image(size, patch, want):
    vit = backbones.ViT(size, patch, embed_dim=12, depth=1, num_heads=3)
    facts = convert.ModelFacts(image_size=size)
    model = convert.convert_weights(convert.reference_weights(vit), facts).model
    assert model.mask_patch_size == want


def test_the_report_in_words():
    report = convert.ConversionReport(
        naming="Hugging Face",
        used={"a": "x", "b": "x"},
        unused={
            "layers.0.blocks.1.attn_mask": "a constant",
            "layers.2.blocks.13.attn_mask": "a constant",
            "head.bias": "a head",
        },
        missing={"encoder.mask_token": "new"},
        notes={"epsilon": "a guess"},
        rounded=("a",),
        prefix="vit.",
        changed={"vit.b": "has another row"},
    )
    assert report.text().splitlines() == [
        "2 names used, of Hugging Face.",
        "They stood under 'vit.', which was taken off.",
        "Unused: 3.",
        "  layers.*.blocks.*.attn_mask (2 times): a constant",
        "  head.bias: a head",
        "Missing: 1.",
        "  encoder.mask_token: new",
        "Changed: vit.b has another row.",
        "Rounded to float32: 1, e.g. a.",
        "Not told by weights alone:",
        "  epsilon: a guess",
    ]
    assert report.as_dict()["used"] == {"a": "x", "b": "x"}
