"""Tests for tf_simmim.convert.prefixes."""

import pytest

from tf_simmim.convert import prefixes

TIMM = "patch_embed.proj.weight"
HUGGING_FACE = "embeddings.patch_embeddings.projection.weight"


@pytest.mark.parametrize(
    "prefix, embedding, outer",
    [
        ("", TIMM, ""),
        ("model.", TIMM, "model."),
        ("_orig_mod.", TIMM, "_orig_mod."),
        ("module.model.backbone.", TIMM, "module.model.backbone."),
        ("momentum_encoder.", TIMM, "momentum_encoder."),
        # SimMIM's decoder stands beside its encoder,
        ("encoder.", TIMM, ""),
        ("module.encoder._orig_mod.", TIMM, "module."),
        # and Hugging Face's heads beside the network.
        ("", HUGGING_FACE, ""),
        ("model.", HUGGING_FACE, "model."),
        ("deit.", HUGGING_FACE, ""),
        ("beit.", HUGGING_FACE, ""),
        ("model.vit.module.", HUGGING_FACE, "model."),
    ],
)
def test_a_network_is_found_by_its_patch_embedding(prefix, embedding, outer):
    names = [f"{prefix}{embedding}", f"{prefix}norm.bias", f"{outer}head.bias"]
    division = prefixes.divide(names, None)
    is_simmim = prefix != outer and embedding == TIMM
    assert division.place.prefix == prefix
    assert division.place.outer == outer
    assert division.place.is_simmim is is_simmim
    assert list(division.names.values()) == [
        embedding,
        "norm.bias",
        "head.bias",
    ]
    assert division.of_others == division.strangers == ()


def test_wrappers_between_names_are_no_part_of_them():
    names = [
        TIMM,
        "blocks.0._orig_mod.norm1.bias",
        "blocks.1.module.norm1.bias",
    ]
    assert list(prefixes.divide(names, None).names.values()) == [
        TIMM,
        "blocks.0.norm1.bias",
        "blocks.1.norm1.bias",
    ]


def test_names_outside_of_the_prefix_are_strangers():
    names = [f"backbone.{TIMM}", "norm.bias", "backbone_2.norm.bias"]
    division = prefixes.divide(names, None)
    assert division.names.keys() == {names[0]}
    assert division.strangers == ("norm.bias", "backbone_2.norm.bias")


TWO = [
    f"student.backbone.{TIMM}",
    "student.backbone.norm.bias",
    f"teacher.backbone.{TIMM}",
    "teacher.backbone.norm.bias",
    "head.bias",
]


@pytest.mark.parametrize(
    "prefix", ["teacher.backbone.", "teacher.backbone", "teacher.", "te"]
)
def test_of_two_networks_the_prefix_decides(prefix):
    division = prefixes.divide(TWO, prefix)
    assert division.names == {TWO[2]: TIMM, TWO[3]: "norm.bias"}
    assert division.of_others == tuple(TWO[:2])
    assert division.strangers == ("head.bias",)


def test_the_network_without_prefix_can_be_told_from_another_inside_it():
    names = [TIMM, "norm.bias", f"ema.{TIMM}", "ema.norm.bias"]
    assert list(prefixes.divide(names, "").names) == names[:2]
    assert list(prefixes.divide(names, "ema").names) == names[2:]


@pytest.mark.parametrize("prefix", [None, "", "backbone", "other."])
def test_a_prefix_that_does_not_decide_is_refused(prefix):
    with pytest.raises(
        ValueError,
        match="`prefix` must say.*'student.backbone.', 'teacher.backbone.'. "
        f"Received: {prefix!r}",
    ):
        prefixes.divide(TWO, prefix)


def test_a_prefix_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"stand under ''. Received: 'model'"):
        prefixes.divide([TIMM], "model")


def test_what_has_no_patch_embedding_is_refused():
    names = [f"conv{i}.weight" for i in range(9)]
    with pytest.raises(ValueError, match=r"of a ViT or Swin.*conv0.*\.\.\.\."):
        prefixes.divide(names, None)
    with pytest.raises(ValueError, match=r"Received names: \[\]\."):
        prefixes.divide([], None)
