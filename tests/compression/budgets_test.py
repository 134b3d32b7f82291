"""Tests for tf_simmim.compression.budgets, and of sensitivities."""

import numpy as np
import pytest

from tf_simmim.compression import budgets
from tf_simmim.compression.costs import Costs
from tf_simmim.compression.sensitivities import Sensitivities

FULL = {"mlp": (40, 40), "value": (8, 8)}
COSTS = Costs(100.0, {"mlp": np.array([2.0, 4.0]), "value": np.ones(2)})
# How much a network suffers from what each part loses.
NEEDS = {("mlp", 0): 1.0, ("mlp", 1): 100.0, ("value", 0): 5.0, ("value", 1): 5}


class Network:
    """Parts that lose exponentially less of their output at each width."""

    parts, full, num_blocks = tuple(FULL), FULL, 2

    def errors(self, part, block):
        width = FULL[part][block]
        errors = np.exp(-8.0 * np.arange(width + 1) / width)
        errors[-1] = 0.0
        return errors

    def kl(self, widths):
        return sum(
            NEEDS[part, i] * self.errors(part, i)[width]
            for part, dims in widths.items()
            for i, width in enumerate(dims)
        )


def guided():
    network = Network()
    found = Sensitivities(network, network.kl)
    return network, budgets.guided_path(found, COSTS.rates, FULL)


def test_costs_are_a_rate_for_each_width():
    assert COSTS.total(FULL) == 100 + 80 + 160 + 16


@pytest.mark.parametrize("most", [160.0, 250.0])
def test_the_widest_uniform_widths_that_cost_so_much(most):
    path = budgets.uniform_path(FULL)
    found = budgets.for_cost(path, COSTS, most)
    best = max(
        (path(t) for t in np.linspace(0, 1, 2001)),
        key=lambda w: (COSTS.total(w) <= most) * COSTS.total(w),
    )
    assert found == best


def test_what_costs_enough_little_stays_as_it_is():
    path = budgets.uniform_path(FULL)
    assert budgets.for_cost(path, COSTS, COSTS.total(FULL)) == FULL
    ones = {"mlp": (1, 1), "value": (1, 1)}
    assert budgets.for_cost(path, COSTS, 108.0) == ones


def test_guided_widths_are_those_of_least_divergence_at_their_cost():
    network, path = guided()
    widths = budgets.for_cost(path, COSTS, 200.0)
    assert 195 < COSTS.total(widths) <= 200
    # No unit is better spent elsewhere: by all exchanges of one for one.
    kl, cost = network.kl(widths), COSTS.total(widths)
    for less in NEEDS:
        for more in NEEDS:
            dims = {part: list(each) for part, each in widths.items()}
            dims[less[0]][less[1]] -= 1
            dims[more[0]][more[1]] += 1
            if min(min(each) for each in dims.values()) < 1:
                continue
            if COSTS.total(dims) <= cost:
                assert network.kl(dims) >= kl - 1e-12
    uniform = budgets.for_cost(budgets.uniform_path(FULL), COSTS, 200.0)
    assert kl < network.kl(uniform)


@pytest.mark.parametrize("most", [0.2, 1.0])
def test_a_divergence_is_used_up(most):
    network, path = guided()
    for each in (path, budgets.uniform_path(FULL)):
        widths = budgets.for_kl(each, network.kl, most)
        assert 0.5 * most < network.kl(widths) <= most


def test_no_divergence_leaves_all_and_any_takes_all():
    network, path = guided()
    assert budgets.for_kl(path, network.kl, 0.0) == FULL
    ones = {"mlp": (1, 1), "value": (1, 1)}
    assert budgets.for_kl(path, network.kl, 1e9) == ones


def test_one_measurement_of_each_part_tells_all_widths():
    network, calls = Network(), []

    def measure(widths):
        calls.append(widths)
        return network.kl(widths)

    Sensitivities(network, measure)
    assert len(calls) == len(NEEDS)
    # Where a hundredth is lost: exp(-8 w / 40) >= 0.01 up to w = 23.
    assert calls[0] == {"mlp": (23, 40)}
