"""Tests for tf_simmim.compression.pruning, and of budgets."""

import contextlib

import numpy as np
import pytest

from tests.compression import small
from tests.conformance import small_models
from tf_simmim import models
from tf_simmim.compression import fidelity
from tf_simmim.compression import pruning
from tf_simmim.compression.costs import Costs
from tf_simmim.compression.narrowing import Narrowing
from tf_simmim.compression.target import Target


def batches():
    return [small.images()]


@pytest.fixture(scope="module")
def model():
    return small.classifier()


@pytest.mark.parametrize("target", ["params:0.6", "flops:0.5"])
def test_a_target_of_size_is_met_and_its_widths_are_no_narrower(model, target):
    found = pruning.prune(model, batches(), target, budget="uniform")
    kind, _, share = target.partition(":")
    costs = Costs.of(model, found.full, kind)

    def plan(other):
        cls, config = type(other.backbone), other.backbone.get_config()
        found = cls.plan(config)
        head = other.count_params() - other.backbone.count_params()
        return found.flops if kind == "flops" else found.num_weights + head

    whole = plan(model)
    assert costs.total(found.full) == pytest.approx(whole)
    assert costs.total(found.widths) == pytest.approx(plan(found.model))
    assert plan(found.model) <= float(share) * whole
    assert plan(found.model) > (float(share) - 0.1) * whole


def test_guided_widths_meet_the_target_and_are_not_worse(model):
    found = pruning.prune(model, batches(), "params:0.6")
    assert found.model.count_params() <= 0.6 * model.count_params()
    assert set(found.tried) == {"uniform", "guided"}
    assert found.tried[found.budget]["kl"] == min(
        each["kl"] for each in found.tried.values()
    )
    fid = fidelity.Fidelity(model, batches())
    np.testing.assert_allclose(found.kl, fid.kl_of(found.model), rtol=1e-4)
    np.testing.assert_allclose(
        found.kl, found.tried[found.budget]["kl"], rtol=1e-2
    )


def test_a_target_of_divergence_is_kept_and_used(model):
    options = {"parts": ["mlp"], "budget": "uniform"}
    small_one = pruning.prune(model, batches(), "params:0.7", **options)
    most = 1.001 * small_one.kl
    found = pruning.prune(model, batches(), f"kl:{most}", **options)
    assert 0 < found.kl <= 1.001 * most
    assert found.model.count_params() <= small_one.model.count_params()


def test_a_narrow_network_that_answers_otherwise_is_refused(monkeypatch):
    model = small.classifier()
    for weight in model.head.weights:
        weight.assign(100 * weight)
    # As if the search had looked at other answers than the network gives.
    monkeypatch.setattr(
        Narrowing, "masked", lambda self, widths: contextlib.nullcontext()
    )
    with pytest.raises(ValueError, match="must answer alike when it is narrow"):
        pruning.prune(model, batches(), "kl:0.001", budget="uniform")


@pytest.mark.slow
def test_recovery_trains_and_is_told(model):
    halves = np.split(small.images(), 2)
    options = {"budget": "uniform", "parts": ["mlp"]}
    bare = pruning.prune(model, halves, "params:0.6", **options)
    found = pruning.prune(
        model, halves, "params:0.6", recovery_epochs=2, **options
    )
    assert bare.recovery is None
    assert len(found.recovery.kls) == 3
    assert found.recovery.kls[found.recovery.best] == min(found.recovery.kls)
    fid = fidelity.Fidelity(model, halves)
    np.testing.assert_allclose(found.kl, fid.kl_of(found.model), rtol=1e-4)


def test_the_whole_share_is_the_identity(model):
    found = pruning.prune(model, batches(), "params:1", budget="uniform")
    assert found.widths == found.full
    assert found.kl == 0.0
    np.testing.assert_array_equal(
        found.model(small.images()), model(small.images())
    )


@pytest.mark.slow
@pytest.mark.parametrize("create", [small.segmenter, small.detector])
def test_models_of_every_kind_are_pruned(create):
    model = create()
    before = [w.numpy() for w in model.weights]
    found = pruning.prune(model, batches(), "params:0.8", budget="uniform")
    assert type(found.model) is type(model)
    assert found.model.count_params() <= 0.8 * model.count_params()
    assert 0 < found.kl < np.inf
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_a_pretrained_swin_is_pruned_by_similarities():
    backbone = small_models.swin(drop_path_rate=0.0)
    model = small.randomized(models.SimMIM(backbone, mask_patch_size=8), 0)
    found = pruning.prune(model, batches(), "flops:0.7")
    assert 0 < found.kl < np.inf
    cls = type(backbone)
    flops = cls.plan(backbone.get_config()).flops
    narrow = cls.plan(found.model.backbone.get_config()).flops
    assert narrow <= 0.7 * flops


def test_every_step_is_told_and_what_is_kept(model):
    done = []
    found = pruning.prune(
        model,
        batches(),
        "params:0.7",
        budget="uniform",
        parts=["mlp"],
        on_step=lambda *step: done.append(step),
    )
    number, total, _ = done[-1]
    assert number == total == len(done)
    for block, width in zip(found.blocks, found.widths["mlp"], strict=True):
        assert len(block["kept"]) == width
        assert 0 < block["information"] < block["information_of_all"]
        assert 0 < block["losses"]["mlp"] < 1


@pytest.mark.parametrize(
    "text", ["params:1.5", "params:0", "params", "kl:-1", "x:1", "flops:nan"]
)
def test_targets_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="`target` must be params:SHARE"):
        Target.parse(text)


def test_a_target_that_cannot_be_met_says_what_can(model):
    with pytest.raises(ValueError, match="`target` must be params:0.") as error:
        pruning.prune(model, batches(), "params:0.05", budget="uniform")
    possible = str(error.value).split()[3]
    found = pruning.prune(model, batches(), possible, budget="uniform")
    assert all(set(dims) == {1} for dims in found.widths.values())


def test_unknown_words_are_refused(model):
    with pytest.raises(ValueError, match="`budget` must be one of"):
        pruning.prune(model, batches(), "params:0.5", budget="equal")
    with pytest.raises(ValueError, match="two or more for a recovery"):
        pruning.prune(
            model,
            batches(),
            "params:0.5",
            recovery_epochs=1,
            on_step=lambda *_: pytest.fail("It was calibrated before."),
        )
    with pytest.raises(ValueError, match="`criterion` must be one of"):
        pruning.prune(model, batches(), "params:0.5", criterion="size")
