"""Tests for tf_simmim.compression.recovery."""

import numpy as np
import pytest

from tests.compression import small
from tf_simmim.compression import fidelity
from tf_simmim.compression import recovery


def pair(create=small.classifier):
    """Returns (original, one whose last biases are others)."""
    original, model = create(seed=0), create(seed=0)
    changed = [model.backbone.norm.beta]
    if create is not small.simmim:
        changed = [
            v for v in model.trainable_variables[-8:] if v.shape.rank == 1
        ]
    for bias in changed:
        bias.assign_add(np.where(np.arange(bias.shape[0]) % 2, 1.0, -1.0))
    return original, model


def batches():
    return list(np.split(small.images(), 2))


def test_answers_come_nearer_and_the_best_state_is_kept():
    original, model = pair()
    before = [w.numpy() for w in original.weights]
    found = recovery.recover(
        model, original, batches(), num_epochs=4, learning_rate=5e-3
    )
    assert len(found.kls) == 5
    assert found.best == np.argmin(found.kls) > 0
    judge = fidelity.Fidelity(original, batches()[:1])
    np.testing.assert_allclose(
        judge.kl_of(model), found.kls[found.best], rtol=1e-4
    )
    for old, new in zip(before, original.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_gets_worse_leaves_the_weights_as_they_were():
    original, model = pair()
    before = [w.numpy() for w in model.weights]
    found = recovery.recover(
        model, original, batches(), num_epochs=2, learning_rate=1e6
    )
    assert found.best == 0
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
@pytest.mark.parametrize(
    "create", [small.segmenter, small.detector, small.simmim]
)
def test_every_kind_of_model_recovers(create):
    original, model = pair(create)
    found = recovery.recover(
        model, original, batches(), num_epochs=4, learning_rate=5e-3
    )
    assert found.best > 0
    assert found.kls[found.best] < found.kls[0]


def test_one_batch_is_refused():
    original, model = pair()
    with pytest.raises(ValueError, match="two or more"):
        recovery.recover(model, original, batches()[:1], num_epochs=1)
