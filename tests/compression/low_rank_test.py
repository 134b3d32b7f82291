"""Tests for tf_simmim.compression.low_rank."""

import numpy as np

from tf_simmim.compression import low_rank

E, N = 6, 500


def pair(seed=0):
    rng = np.random.default_rng(seed)
    scales = 3.0 ** -np.arange(E)
    x = rng.normal(size=[N, E]) @ rng.normal(size=[E, E])
    y = rng.normal(size=[N, E]) * scales @ rng.normal(size=[E, E])
    return x, y


def test_the_error_is_what_products_of_pairs_lose():
    x, y = pair()
    found = low_rank.ProductDirections(x.T @ x / N, y.T @ y / N)
    for rank in range(E + 1):
        a, b = found.factors(rank)
        lost = x @ y.T - (x @ a) @ (y @ b).T
        np.testing.assert_allclose(
            found.errors[rank],
            np.mean(lost**2),
            rtol=1e-4,
            atol=1e-6 * found.errors[0],
        )


def test_no_other_directions_of_the_rank_lose_less():
    x, y = pair()
    found = low_rank.ProductDirections(x.T @ x / N, y.T @ y / N)
    products = x @ y.T
    singular = np.linalg.svd(products, compute_uv=False)
    for rank in (1, 2, 4):
        best = np.sum(singular[rank:] ** 2) / N**2
        np.testing.assert_allclose(found.errors[rank], best, rtol=1e-4)


def test_moments_without_full_rank_have_factors():
    x, y = pair()
    x[:, 4:] = 0.0
    found = low_rank.ProductDirections(x.T @ x / N, y.T @ y / N)
    a, b = found.factors(E)
    assert np.all(np.isfinite(a)) and np.all(np.isfinite(b))
    np.testing.assert_allclose((x @ a) @ (y @ b).T, x @ y.T, atol=1e-6)


def test_a_projected_side_has_the_map_of_its_head():
    rng = np.random.default_rng(0)
    weights = {
        "query_kernel": rng.normal(size=[5, 2, 3]),
        "query_bias": rng.normal(size=[2, 3]),
    }
    maps = rng.normal(size=[2, 3, 4])
    found = low_rank.projected(weights, "query", maps)
    for head in range(2):
        np.testing.assert_allclose(
            found["query_kernel"][:, head],
            weights["query_kernel"][:, head] @ maps[head],
        )
        np.testing.assert_allclose(
            found["query_bias"][head], weights["query_bias"][head] @ maps[head]
        )
