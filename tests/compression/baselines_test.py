"""Tests for tf_simmim.compression.baselines."""

import numpy as np

from tf_simmim.compression import baselines
from tf_simmim.compression import moments


def test_magnitude_is_the_product_of_lengths():
    expand = np.array([[3.0, 0.0], [4.0, 1.0]])
    project = np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 7.0]])
    found = baselines.magnitude(expand, project)
    np.testing.assert_allclose(found, [15.0, 7.0])


def test_activation_is_the_root_of_the_mean_square():
    sums = moments.MomentSums()
    sums.add(np.array([[3.0, 1.0], [-3.0, 7.0]]))
    found = baselines.activation(sums.result())
    np.testing.assert_allclose(found, [3.0, 5.0])


def test_taylor_is_what_removing_a_unit_does_to_first_order():
    # L = sum of (h W)^2 / 2: dL/dW = h^T y. Unit 1 gives 0.
    h = np.array([[1.0, 0.0], [2.0, 0.0]])
    kernel = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    gradient = h.T @ (h @ kernel)
    found = baselines.taylor(kernel, [gradient, -3 * gradient])
    np.testing.assert_allclose(found, [2 * 5 * 14.0, 0.0])


def test_entropy_of_even_bins_is_their_logarithm():
    rows = np.column_stack([np.arange(64.0), np.repeat([0.0, 63.0], 32)])
    found = baselines.entropy(np.column_stack([rows, np.zeros(64)]))
    np.testing.assert_allclose(found, [np.log(32), np.log(2), 0.0], atol=1e-12)


def test_information_is_that_of_what_is_told_and_none_of_chance():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 8000)
    rows = np.column_stack(
        [classes + 1e-3 * rng.random(8000), rng.random(8000)]
    )
    told, chance = baselines.marginal_information(rows, classes)
    np.testing.assert_allclose(told, np.log(4), rtol=0.05)
    assert abs(chance) < 0.005
