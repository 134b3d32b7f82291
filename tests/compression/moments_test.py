"""Tests for tf_simmim.compression.moments."""

import numpy as np

from tf_simmim.compression import moments


def test_moments_are_those_of_all_rows_at_once():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=[3, 50, 4]) + 7.0
    sums = moments.MomentSums()
    for part in np.split(rows, [10, 15], axis=1):
        sums.add(part)
    found = sums.result()
    assert found.count == 50
    np.testing.assert_allclose(found.mean, rows.mean(axis=1))
    second = np.einsum("knd,kne->kde", rows, rows) / 50
    np.testing.assert_allclose(found.second, second)
    for head in range(3):
        want = np.cov(rows[head].T, bias=True)
        np.testing.assert_allclose(found.covariance[head], want)


def test_a_mean_far_away_costs_no_digits():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=[1000, 2]).astype(np.float32)
    sums = moments.MomentSums()
    far = np.float64(rows) + 1e6
    sums.add(far[:400])
    sums.add(far[400:])
    np.testing.assert_allclose(
        sums.result().covariance, np.cov(rows.T, bias=True), atol=1e-3
    )
