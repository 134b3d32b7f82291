"""Tests for tf_simmim.compression.compensation."""

import numpy as np

from tf_simmim.compression import compensation
from tf_simmim.compression import moments

N, Q, D = 300, 7, 4


def rows(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=[N, Q]) @ rng.normal(size=[Q, Q]) + 3.0


def moments_of(array):
    sums = moments.MomentSums()
    sums.add(array)
    return sums.result()


def test_it_is_the_regression_on_the_units_that_stay():
    h, rng = rows(), np.random.default_rng(1)
    kernel, bias = rng.normal(size=[Q, D]), rng.normal(size=D)
    kept = [0, 2, 5]
    encoder = np.eye(Q)[:, kept]
    new_kernel, new_bias = compensation.compensated(
        moments_of(h), encoder, kernel, bias
    )
    output = h @ kernel + bias
    design = np.column_stack([h[:, kept], np.ones(N)])
    want = np.linalg.lstsq(design, output, rcond=None)[0]
    np.testing.assert_allclose(new_kernel, want[:-1], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(new_bias, want[-1], rtol=1e-3, atol=1e-3)


def test_units_that_depend_on_others_are_removed_without_loss():
    h, rng = rows(), np.random.default_rng(1)
    h[:, 5] = 2 * h[:, 0] - h[:, 3] + 1.0
    h[:, 6] = h[:, 1]
    kernel, bias = rng.normal(size=[Q, D]), rng.normal(size=D)
    encoder = np.eye(Q)[:, :5]
    new_kernel, new_bias = compensation.compensated(
        moments_of(h), encoder, kernel, bias
    )
    output = h @ kernel + bias
    found = h[:, :5] @ new_kernel + new_bias
    error = np.linalg.norm(found - output) / np.linalg.norm(output)
    assert error < 1e-5


def test_directions_are_as_good_as_units():
    h, rng = rows(), np.random.default_rng(1)
    kernel, bias = rng.normal(size=[Q, D]), rng.normal(size=D)
    encoder = np.linalg.qr(rng.normal(size=[Q, Q]))[0]
    new_kernel, new_bias = compensation.compensated(
        moments_of(h), encoder, kernel, bias
    )
    np.testing.assert_allclose(
        h @ encoder @ new_kernel + new_bias, h @ kernel + bias, atol=1e-2
    )
