"""Tests for tf_simmim.convert.position_rows."""

import numpy as np
import pytest

from tf_simmim import convert
from tf_simmim.convert import position_rows

D = 3


def weights_of(num_rows, *tokens, reg_token=0):
    weights = {
        "pos_embed": np.arange(num_rows * D, dtype=np.float32).reshape(
            1, -1, D
        ),
        "patch_embed.proj.weight": np.ones([D, 2, 8, 8]),
    }
    weights |= {name: np.ones([1, 1, D]) for name in tokens}
    if reg_token:
        weights["reg_token"] = np.ones([1, reg_token, D])
    return weights


@pytest.mark.parametrize(
    "weights, size",
    [
        (weights_of(9), None),
        (weights_of(10, "cls_token"), None),
        (weights_of(7, "cls_token"), (16, 24)),
        (weights_of(10, "cls_token", reg_token=4), None),
        # No grid that anything could be made of.
        (weights_of(7, "cls_token"), None),
        (weights_of(9), (16, 24)),
    ],
)
def test_rows_that_a_vit_has_stay(weights, size):
    facts = convert.ModelFacts(image_size=size)
    assert position_rows.with_own_rows(weights, facts) == (None, "")


@pytest.mark.parametrize(
    "weights, size",
    [
        # DeiT III; DINOv2 with registers, in timm.
        (weights_of(9, "cls_token"), None),
        (weights_of(6, "cls_token"), (16, 24)),
        (weights_of(9, "cls_token", reg_token=2), None),
    ],
)
def test_a_class_token_without_a_position_gets_zeros(weights, size):
    facts = convert.ModelFacts(image_size=size)
    got, how = position_rows.with_own_rows(weights, facts)
    np.testing.assert_array_equal(got[:, 0], np.zeros([1, D]))
    np.testing.assert_array_equal(got[:, 1:], weights["pos_embed"])
    assert "zeros, which is the same" in how


@pytest.mark.parametrize(
    "weights, first",
    [
        (weights_of(11, "cls_token", "dist_token"), [0]),
        (weights_of(14, "cls_token", reg_token=4), [0]),
        (weights_of(13, reg_token=4), []),
    ],
)
def test_rows_of_other_tokens_are_left_out(weights, first):
    got, how = position_rows.with_own_rows(weights, convert.ModelFacts())
    num_rows = weights["pos_embed"].shape[1]
    want = weights["pos_embed"][:, [*first, *range(num_rows - 9, num_rows)]]
    np.testing.assert_array_equal(got, want)
    assert "rows of tokens that are left out" in how
