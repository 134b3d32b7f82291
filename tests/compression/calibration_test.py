"""Tests for tf_simmim.compression.calibration."""

import numpy as np
import pytest

from tests.compression import small
from tests.conformance import small_models
from tf_simmim.compression import calibration


def batches():
    return [element["image"] for element in small.batches()]


def test_moments_are_those_of_the_activations_of_all_images():
    backbone = small.classifier().backbone
    found = calibration.calibrate(backbone, batches())
    assert len(found) == backbone.num_blocks
    words = ("queries", "keys", "heads", "mlp_hidden")
    taps = backbone.taps(small.images(), [f"block_1/{word}" for word in words])
    queries, keys, heads, hidden = (np.float64(x) for x in taps.values())
    count = len(small.images()) * queries.shape[2]
    block = found[1]

    second = np.einsum("bkme,bkmf->kef", queries, queries) / count
    np.testing.assert_allclose(block.queries, second, rtol=1e-4, atol=1e-6)
    centred = keys - keys.mean(axis=2, keepdims=True)
    second = np.einsum("bkme,bkmf->kef", centred, centred) / count
    np.testing.assert_allclose(block.keys, second, rtol=1e-4, atol=1e-6)
    rows = heads.transpose(0, 2, 1, 3).reshape(count, -1)
    np.testing.assert_allclose(block.heads.mean, rows.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(
        block.heads.covariance, np.cov(rows.T, bias=True), atol=1e-4
    )
    rows = hidden.reshape(count, -1)
    np.testing.assert_allclose(
        block.hidden.covariance, np.cov(rows.T, bias=True), atol=1e-4
    )
    np.testing.assert_allclose(
        block.hidden_means, hidden.mean(axis=1), atol=1e-5
    )


def test_keys_of_a_swin_are_centred_in_their_windows():
    backbone = small_models.swin(depths=(1, 1), num_heads=(2, 3))
    backbone = small.randomized(backbone, 0)
    found = calibration.calibrate(backbone, batches())
    keys = np.float64(
        backbone.taps(small.images(), "block_0/keys")["block_0/keys"]
    )
    assert len(keys) == 2 * 2 * len(small.images())  # windows
    keys -= keys.mean(axis=2, keepdims=True)
    count = keys.shape[0] * keys.shape[2]
    second = np.einsum("bkme,bkmf->kef", keys, keys) / count
    np.testing.assert_allclose(found[0].keys, second, rtol=1e-4, atol=1e-6)


def test_some_tokens_of_each_image_are_evenly_chosen():
    backbone = small.classifier().backbone
    found = calibration.calibrate(backbone, batches(), tokens_per_image=3)
    place = "block_0/mlp_hidden"
    hidden = np.float64(backbone.taps(small.images(), place)[place])
    rows = hidden[:, [0, 2, 4]].reshape(-1, hidden.shape[-1])  # of 7
    assert found[0].hidden.count == len(rows)
    np.testing.assert_allclose(
        found[0].hidden.mean, rows.mean(axis=0), atol=1e-5
    )


def test_what_is_not_finite_is_named_by_its_place():
    backbone = small.classifier().backbone
    bias = backbone.blocks[1].mlp.expand.bias
    bias.assign(np.where(np.arange(bias.shape[0]) == 3, np.nan, bias))
    with pytest.raises(ValueError, match="block_1/mlp_hidden, of images 0 to"):
        calibration.calibrate(backbone, batches())


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="at least one image"):
        calibration.calibrate(small.classifier().backbone, [])


def test_images_of_another_size_are_refused():
    backbone = small.classifier().backbone
    with pytest.raises(ValueError, match="Received shape"):
        calibration.calibrate(backbone, [small.images()[:, :-1]])
