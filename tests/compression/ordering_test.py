"""Tests for tf_simmim.compression.ordering."""

import numpy as np
import pytest

from tests.compression import small
from tf_simmim.compression import calibration
from tf_simmim.compression import ordering

UNITS = np.arange(48)
IS_CONSTANT = UNITS % 3 == 0


@pytest.fixture(scope="module")
def network():
    """Returns (model with constant units, images, calibration, classes)."""
    model = small.classifier()
    for block in model.backbone.blocks:
        kernel = block.mlp.expand.kernel
        kernel.assign(np.where(IS_CONSTANT, 0.0, kernel))
        block.mlp.expand.bias.assign(np.where(IS_CONSTANT, 0.0, 1.0))
    images = [small.images()]
    found = calibration.calibrate(model.backbone, images)
    return model, images, found, np.arange(small.NUM_IMAGES) % 3


@pytest.mark.parametrize("criterion", ordering.CRITERIA)
def test_units_that_never_change_come_last(network, criterion):
    model, images, found, classes = network
    orders = ordering.unit_orders(
        model, found, criterion, batches=images, classes=classes
    )
    for order in orders:
        assert sorted(order) == UNITS.tolist()
        if criterion != "random":
            assert np.all(IS_CONSTANT[order[-16:]])


def test_chance_is_that_of_the_seed(network):
    model, images, found, _ = network
    orders = [
        ordering.unit_orders(
            model, found, "random", batches=images, classes=None, seed=seed
        )
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert np.any(orders[0][0] != orders[2][0])
    assert np.any(orders[0][0] != orders[0][1])


def test_the_gradient_is_that_of_the_answer_that_is_given(network):
    # Of a unit that decides alone between two answers, and one beside it.
    model, images, found, _ = network
    orders = ordering.unit_orders(
        model, found, "taylor", batches=images, classes=None
    )
    kernel = model.backbone.blocks[1].mlp.project.kernel
    before = kernel.numpy()
    kernel.assign(before * np.where(UNITS == orders[1][10], 10.0, 1.0)[:, None])
    again = ordering.unit_orders(
        model, found, "taylor", batches=images, classes=None
    )
    kernel.assign(before)
    place = again[1].tolist().index(orders[1][10])
    assert place < 10
