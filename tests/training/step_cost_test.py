"""Tests for tf_simmim.training.step_cost."""

import numpy as np
import pytest

from tf_simmim import backbones
from tf_simmim import models
from tf_simmim.training import step_cost

# Image, patch, width, heads, hidden width of the MLP, image channels.
H, W, P, D, K, F, C = 24, 40, 8, 12, 3, 48, 2
N = (H // P) * (W // P)  # patches
M = N + 1  # with the class token
DEPTH = 2


def create(**options):
    backbone = backbones.ViT(
        (H, W), P, D, DEPTH, K, channels=C, mlp_ratio=F / D, **options
    )
    return models.SimMIM(backbone, mask_patch_size=P)


@pytest.mark.slow
def test_arithmetic_equals_the_formula_of_a_vit():
    cost = step_cost.step_cost(create())
    embed = 2 * N * P * P * C * D
    projections = 2 * M * D * (3 * D + D + F + F)
    attention = 2 * 2 * M * M * D
    head = 2 * N * D * P * P * C
    forward = embed + DEPTH * (projections + attention) + head
    assert cost.forward_flops == forward
    # All factors have a gradient but the images.
    assert cost.step_flops == 3 * forward - embed


def test_arithmetic_of_a_convolution_counts_its_kernel():
    # The first convolution alone reads the images: 4 x 4 pixels a cell.
    backbone = backbones.create(
        "convnext_tiny", (32, 64), channels=C, depths=(1,), widths=(6,)
    )
    model = models.SimMIM(backbone, mask_patch_size=16)
    cost = step_cost.step_cost(model)
    cells = (32 // 4) * (64 // 4)
    stem = 2 * cells * 4 * 4 * C * 6
    depthwise = 2 * cells * 7 * 7 * 6
    mlp = 2 * cells * 6 * 24 * 2
    head = 2 * cells * 6 * 4 * 4 * C
    assert cost.forward_flops == stem + depthwise + mlp + head


@pytest.mark.slow
def test_memory_grows_with_depth_and_falls_with_rematerialization():
    kept = {
        (depth, rematerialize): step_cost.step_cost(
            models.SimMIM(
                backbones.ViT(
                    (H, W),
                    P,
                    D,
                    depth,
                    K,
                    channels=C,
                    rematerialize=rematerialize,
                ),
                mask_patch_size=P,
            )
        ).activation_bytes
        for depth in (2, 4)
        for rematerialize in (False, True)
    }
    block = (kept[4, False] - kept[2, False]) / 2
    # Its output and the attention's, the MLP's input and hidden layer with
    # and without GELU, queries, keys, values, attention; in float32.
    at_least = 4 * (M * (2 * D + D + 2 * F + 3 * D) + K * M * M)
    assert at_least < block < 2 * at_least
    # Its input alone.
    assert (kept[4, True] - kept[2, True]) / 2 == pytest.approx(
        4 * M * D, rel=0.1
    )


@pytest.mark.slow
def test_a_step_is_not_taken():
    model = create()
    before = [np.array(w) for w in model.get_weights()]
    step_cost.step_cost(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
