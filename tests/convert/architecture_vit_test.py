"""Tests for tf_simmim.convert.architecture_vit."""

import numpy as np
import pytest

from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim.convert.architecture_vit import vit_arguments

BASE = dict(patch_size=8, embed_dim=12, depth=2, num_heads=3, channels=2)
OPTIONS = [
    {},
    {"relative_position": "per_block", "mlp_ratio": 2.5},
    {"relative_position": "none", "absolute_position": "learned"},
    {"absolute_position": "learned", "class_token": False},
    {"qkv_bias": "query_key_value", "layer_scale_init": None},
    {"qkv_bias": "none", "final_norm": False},
]


def weights_of(size=(16, 16), **options):
    vit = backbones.ViT(size, **{**BASE, **options})
    weights = convert.reference_weights(vit)
    if options.get("final_norm") is False:
        weights["fc_norm.weight"] = np.ones([12])
    return weights


@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_is_read_from_names_and_shapes(options):
    facts = convert.ModelFacts()
    if options.get("relative_position") == "none":
        facts = convert.ModelFacts(num_heads=3)
    got, _ = vit_arguments(weights_of(**options), facts)
    vit = backbones.ViT((16, 16), **{**BASE, **options})
    config = vit.get_config()
    assert got == {name: config[name] for name in got}
    assert got.keys() >= BASE.keys()


def test_what_weights_do_not_tell_is_noted():
    _, notes = vit_arguments(weights_of(), convert.ModelFacts())
    assert notes == {
        "image_size": "of rel_pos_bias.relative_position_bias_table, taken to "
        "be square",
        "epsilon": "1e-6 as in the reference and timm; no weight tells it",
    }
    facts = convert.ModelFacts(image_size=16, epsilon=1e-12)
    got, notes = vit_arguments(weights_of(), facts)
    assert got["epsilon"] == 1e-12
    assert notes == {}


@pytest.mark.parametrize("options", [{}, {"absolute_position": "learned"}])
def test_an_image_that_is_not_square_must_be_given(options):
    weights = weights_of(size=(16, 24), **options)
    got, _ = vit_arguments(weights, convert.ModelFacts(image_size=(16, 24)))
    assert got["image_size"] == (16, 24)
    with pytest.raises(ValueError, match=r"not square.*Received: None, and"):
        vit_arguments(weights, convert.ModelFacts())


@pytest.mark.parametrize("size", [24, (16, 24)])
@pytest.mark.parametrize(
    "options, name",
    [
        ({}, "rel_pos_bias.relative_position_bias_table"),
        ({"absolute_position": "learned"}, "pos_embed"),
    ],
)
def test_another_image_size_is_refused(size, options, name):
    with pytest.raises(ValueError, match=f"`image_size` must be that.*{name}"):
        vit_arguments(
            weights_of(**options), convert.ModelFacts(image_size=size)
        )


def test_positions_that_contradict_each_other_are_refused():
    weights = weights_of(absolute_position="learned")
    weights["pos_embed"] = np.zeros([1, 10, 12])
    with pytest.raises(ValueError, match="and rel_pos_bias"):
        vit_arguments(weights, convert.ModelFacts())


def test_an_image_that_patches_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="patches of 8 px. Received: 20x20"):
        vit_arguments(weights_of(), convert.ModelFacts(image_size=20))


@pytest.mark.parametrize("size", [None, (8, 32)])
def test_no_vit_without_positions_is_made_unless_it_is_asked_for(size):
    """Of DINOv3, whose positions are rotary, the file has none."""
    weights = weights_of(relative_position="none")
    facts = convert.ModelFacts(image_size=size, num_heads=3)
    with pytest.raises(ValueError, match="must hold positions.*rotary"):
        vit_arguments(weights, facts)


@pytest.mark.parametrize("positions", ["none", "sincos"])
def test_positions_that_weights_do_not_hold_can_be_asked_for(positions):
    weights = weights_of(relative_position="none")
    facts = {"num_heads": 3, "absolute_position": positions}
    with pytest.raises(ValueError, match="hold no positions.*Received: None"):
        vit_arguments(weights, convert.ModelFacts(**facts))
    facts = convert.ModelFacts(image_size=(8, 32), **facts)
    got, notes = vit_arguments(weights, facts)
    assert got["absolute_position"] == positions
    assert got["image_size"] == (8, 32)
    assert notes["image_size"] == "as given; no weight depends on it"
    assert notes["num_heads"] == "as given; no weight tells it"
    assert notes["absolute_position"] == "as given; no weight tells it"


@pytest.mark.parametrize(
    "held, asked",
    [("learned", "none"), ("learned", "sincos"), ("none", "learned")],
)
def test_positions_that_contradict_the_weights_are_refused(held, asked):
    weights = weights_of(absolute_position=held)
    facts = convert.ModelFacts(absolute_position=asked)
    with pytest.raises(ValueError, match=f"pos_embed. Received: '{asked}'"):
        vit_arguments(weights, facts)


def test_a_norm_before_a_head_does_not_replace_a_final_one_beside_it():
    weights = {**weights_of(), "fc_norm.weight": np.ones([12])}
    got, _ = vit_arguments(weights, convert.ModelFacts())
    assert got["final_norm"]


def test_heads_are_those_of_the_table_or_given_or_of_a_preset():
    got, notes = vit_arguments(weights_of(), convert.ModelFacts(num_heads=3))
    assert got["num_heads"] == 3
    assert "num_heads" not in notes
    with pytest.raises(ValueError, match="the 3 of rel_pos.*Received: 4"):
        vit_arguments(weights_of(), convert.ModelFacts(num_heads=4))

    options = {"relative_position": "none", "absolute_position": "learned"}
    with pytest.raises(ValueError, match="width 12 and the depth 2. Received"):
        vit_arguments(weights_of(**options), convert.ModelFacts())
    names = {name: a for name, a in weights_of(**options).items()}
    names["patch_embed.proj.weight"] = np.zeros([384, 2, 8, 8])
    names |= {f"blocks.{i}.norm1.weight": 0 for i in range(12)}
    got, notes = vit_arguments(names, convert.ModelFacts())
    assert got["num_heads"] == 6
    assert notes["num_heads"].startswith("of the preset vit_small, whose width")


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("patch_embed.proj.weight", None, "none: it is missing"),
        ("patch_embed.proj.weight", np.ones([12, 6]), r"shape: \(12, 6\)"),
        ("patch_embed.proj.weight", np.ones([12, 2, 8, 4]), "square patches"),
        ("patch_embed.proj.weight", np.ones([0, 2, 8, 8]), r"\(0, 2, 8, 8\)"),
        ("blocks.0.norm1.weight", None, r"2, \.\.\. Received: \[1\]"),
        ("blocks.7.norm1.weight", np.ones([12]), r"Received: \[0, 1, 7\]"),
        ("blocks.0.mlp.fc1.weight", None, "fc1.weight with 2 dimensions"),
    ],
)
def test_what_is_no_vit_is_refused(name, value, message):
    weights = {**weights_of(), name: value}
    if value is None:
        del weights[name]
    with pytest.raises(ValueError, match=message):
        vit_arguments(weights, convert.ModelFacts())


@pytest.mark.parametrize(
    "facts, message",
    [
        ({"image_size": 0}, "`image_size` must be a positive int"),
        ({"window_size": (3, 0)}, "`window_size` must be a positive int"),
        ({"num_heads": 0}, "`num_heads` must be positive. Received: 0"),
        ({"epsilon": -1.0}, "`epsilon` must be positive. Received: -1.0"),
        ({"absolute_position": "rope"}, "must be one of.*Received: 'rope'"),
    ],
)
def test_facts_that_cannot_be_are_refused(facts, message):
    with pytest.raises(ValueError, match=message):
        convert.ModelFacts(**facts)
