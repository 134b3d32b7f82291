"""Tests for tf_simmim.compression.selection."""

import numpy as np
import pytest

from tf_simmim.compression import selection

Q, D = 9, 4


def layer(seed=0):
    """Returns a covariance [Q, Q] and a kernel [Q, D]."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=[50, Q]) @ rng.normal(size=[Q, Q])
    return np.cov(rows.T), rng.normal(size=[Q, D])


def by_hand(covariance, kernel, criterion):
    """Returns the greedy order, each gain from whole matrices."""
    c = selection.with_noise(covariance)
    z = kernel.T @ c @ kernel
    z = z + 0.05 * np.trace(z) / D * np.eye(D)
    chosen = []
    for _ in range(Q):
        gains = {}
        for j in set(range(Q)) - set(chosen):
            s = chosen
            rest = c
            if s:
                known = c[:, s] @ np.linalg.inv(c[np.ix_(s, s)])
                rest = c - known @ c[s]
            g = (rest @ kernel)[j]
            left = z - kernel.T @ (c - rest) @ kernel
            if criterion == "logdet":
                told = g @ np.linalg.inv(left) @ g / rest[j, j]
                gains[j] = -0.5 * np.log(1 - told)
            else:
                gains[j] = g @ g / rest[j, j]
        chosen.append(max(gains, key=gains.get))
    return chosen


@pytest.mark.parametrize("criterion", selection.CRITERIA)
@pytest.mark.parametrize("seed", range(3))
def test_the_order_is_that_of_gains_from_whole_matrices(criterion, seed):
    covariance, kernel = layer(seed)
    order = selection.joint_order(covariance, kernel, criterion)
    assert order.tolist() == by_hand(covariance, kernel, criterion)


@pytest.mark.parametrize("criterion", selection.CRITERIA)
def test_products_that_wait_change_no_order(criterion, monkeypatch):
    covariance, kernel = layer()
    want = selection.joint_order(covariance, kernel, criterion)
    monkeypatch.setattr(selection, "_STEPS", 1)
    found = selection.joint_order(covariance, kernel, criterion)
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("rho", [0.1, 0.7, 0.95])
def test_information_is_that_of_two_correlated_numbers(rho):
    # z = h + others + noise of 0.05 of their variance: as much in all that the
    # correlation of h and z is rho.
    of_others = 1.0 / (1.05 * rho**2) - 1.0
    covariance, kernel = np.diag([1.0, of_others]), np.ones([2, 1])
    found = selection.mutual_information(covariance, kernel, [0])
    np.testing.assert_allclose(found, -0.5 * np.log(1 - rho**2), rtol=1e-4)


def test_all_units_leave_the_noise_of_the_output_alone():
    covariance, kernel = layer()
    whole = selection.mutual_information(covariance, kernel, np.arange(Q))
    z = kernel.T @ selection.with_noise(covariance) @ kernel
    noise = 0.05 * np.trace(z) / D
    want = 0.5 * np.linalg.slogdet(np.eye(D) + z / noise)[1]
    np.testing.assert_allclose(whole, want, rtol=1e-6)


@pytest.mark.parametrize("criterion", selection.CRITERIA)
def test_a_unit_that_repeats_another_comes_last(criterion):
    covariance, kernel = layer()
    first = selection.joint_order(covariance, kernel, criterion)[0]
    # One more unit, the best one's double.
    twins = np.concatenate([np.arange(Q), [first]])
    covariance, kernel = covariance[np.ix_(twins, twins)], kernel[twins]
    order = selection.joint_order(covariance, kernel, criterion)
    assert order[0] in (first, Q)
    assert order[-1] in (first, Q)
    both = selection.mutual_information(covariance, kernel, [first, Q])
    one = selection.mutual_information(covariance, kernel, [first])
    assert both - one < 1e-4 * one


def test_shares_are_those_of_a_regression():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=[400, Q]) @ rng.normal(size=[Q, Q])
    rows -= rows.mean(axis=0)
    kernel = rng.normal(size=[Q, D])
    order = rng.permutation(Q)
    shares = selection.residual_shares(rows.T @ rows / len(rows), kernel, order)
    output = rows @ kernel
    for width in range(1, Q):
        kept = rows[:, order[:width]]
        guess = kept @ np.linalg.lstsq(kept, output, rcond=None)[0]
        want = np.sum((output - guess) ** 2) / np.sum(output**2)
        np.testing.assert_allclose(shares[width], want, rtol=1e-3)
    assert (shares[0], shares[-1]) == (1.0, 0.0)


def test_a_layer_without_variance_is_ordered_too():
    order = selection.joint_order(np.zeros([Q, Q]), np.ones([Q, D]))
    assert sorted(order) == list(range(Q))


def test_an_unknown_criterion_is_refused():
    with pytest.raises(ValueError, match="`criterion` must be one of"):
        selection.joint_order(*layer(), "information")
