"""Tests for tf_simmim.convert.architecture_swin."""

import functools

import numpy as np
import pytest

from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim.convert.architecture_swin import swin_arguments
from tf_simmim.layers import continuous_position_bias

BASE = dict(embed_dim=6, depths=(1, 2), num_heads=(2, 3), channels=2)


@functools.cache
def weights_of(size=(16, 16), window=2, **options):
    swin = backbones.Swin(size, window_size=window, **{**BASE, **options})
    return convert.reference_weights(swin)


def arguments(weights, constants=None, **facts):
    return swin_arguments(weights, constants or {}, convert.ModelFacts(**facts))


def test_sizes_are_read_from_names_and_shapes():
    got, notes = arguments(weights_of(mlp_ratio=2.5))
    assert got == {
        "patch_size": 4,
        **BASE,
        "mlp_ratio": 2.5,
        "version": 1,
        "window_size": (2, 2),
        "image_size": (16, 16),
        "epsilon": 1e-5,
    }
    assert notes["image_size"].startswith("the smallest with a whole window")
    assert notes["epsilon"] == "1e-5 as everywhere; no weight tells it"
    assert notes.keys() == {"image_size", "epsilon"}


def test_biases_may_be_left_out():
    got, _ = arguments(weights_of(qkv_bias="none"))
    assert got["qkv_bias"] == "none"


def test_a_cut_window_tells_the_image_size():
    # Maps of 6 and 3 cells; windows of 4 are cut to 3 in the second.
    got, notes = arguments(weights_of(size=(24, 24), window=4))
    assert (got["image_size"], got["window_size"]) == ((24, 24), (4, 4))
    assert notes["image_size"] == "of the last stage, whose window is its map"
    assert "stages [0]: there the padding" in notes["window_size"]


def test_masks_of_shifted_windows_tell_the_image_size():
    mask = np.zeros([16, 4, 4])  # 4 x 4 windows of 2 x 2 cells of 4 px
    name = "layers.0.blocks.1.attn_mask"
    got, notes = arguments(weights_of(), {name: mask})
    assert got["image_size"] == (32, 32)
    assert notes["image_size"] == f"of {name}, taken to be square"
    name = "layers.1.blocks.1.attn_mask"
    got, _ = arguments(weights_of(), {name: mask})
    assert got["image_size"] == (64, 64)


def test_what_is_given_is_believed_and_checked():
    got, notes = arguments(weights_of(), image_size=(32, 48), epsilon=1e-6)
    assert (got["image_size"], got["epsilon"]) == ((32, 48), 1e-6)
    assert notes == {}
    with pytest.raises(ValueError, match="2x2 cells. Received: 3"):
        arguments(weights_of(), window_size=3)
    with pytest.raises(ValueError, match="2x2 cells, and would have 1x2.*8x16"):
        arguments(weights_of(), image_size=(8, 16))
    with pytest.raises(ValueError, match="stage 1 has windows of 3x3.*4x4"):
        arguments(weights_of(size=(24, 24), window=4), image_size=48)
    with pytest.raises(ValueError, match="None for a Swin.*Received: 3"):
        arguments(weights_of(), num_heads=3)


def test_windows_that_are_not_square_must_be_given():
    weights = weights_of(size=(16, 24), window=(2, 3))
    got, _ = arguments(weights, window_size=(2, 3), image_size=(16, 24))
    assert got["window_size"] == (2, 3)
    with pytest.raises(ValueError, match="not square. Received: None.*15 rows"):
        arguments(weights)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("layers.1.blocks.0.norm1.weight", None, r"Received: \[1\]"),
        ("layers.0.blocks.0.mlp.fc1.weight", None, "it is missing"),
        ("patch_embed.proj.weight", np.ones([6, 2, 4, 2]), "square patches"),
        (
            "layers.1.blocks.0.attn.relative_position_bias_table",
            np.ones([8, 3]),
            "with 8 rows",
        ),
    ],
)
def test_what_is_no_swin_is_refused(name, value, message):
    weights = {**weights_of(), name: value}
    if value is None:
        del weights[name]
    with pytest.raises(ValueError, match=message):
        arguments(weights)


def coordinates(window, largest=1.0):
    offsets = continuous_position_bias.log_spaced_offsets((window, window))
    sides = [2 * window - 1] * 2
    return {
        f"layers.{stage}.blocks.0.attn.relative_coords_table": largest
        * offsets.reshape(1, *sides, 2)
        for stage in range(2)
    }


def test_version_2_tells_its_window_by_its_coordinates():
    got, notes = arguments(weights_of(version=2), coordinates(2))
    assert (got["version"], got["window_size"]) == (2, (2, 2))
    assert got["num_heads"] == (2, 3)
    assert got["image_size"] == (16, 16)
    with pytest.raises(ValueError, match="must be given.*Received: None, 16"):
        arguments(weights_of(version=2), image_size=16)
    got, _ = arguments(weights_of(version=2), image_size=24, window_size=4)
    assert (got["window_size"], got["image_size"]) == ((4, 4), (24, 24))


def test_version_2_with_stretched_coordinates_is_refused():
    with pytest.raises(ValueError, match="of another. .*1.1623, needed 1.0566"):
        arguments(weights_of(version=2), coordinates(2, 1.1))
