"""Pruning: a trained network becomes a narrower one, without labels.

    pruning = prune(model, batches, "params:0.4")
    pruning.model  # of the same kind, e.g. for training.write_model_folder

Three parts of each block become narrower: the hidden units of the MLP, the rank
of queries and keys, and the rank of values.
"""

import dataclasses
import math

import tensorflow as tf

from tf_simmim.compression import budgets
from tf_simmim.compression import calibration as calibration_lib
from tf_simmim.compression import fidelity as fidelity_lib
from tf_simmim.compression import narrowing as narrowing_lib
from tf_simmim.compression import ordering
from tf_simmim.compression import recovery as recovery_lib
from tf_simmim.compression import sensitivities as sensitivities_lib
from tf_simmim.compression.costs import Costs
from tf_simmim.compression.target import Target

BUDGETS = ("guided", "uniform")
# Rows of a covariance, at most: several times the units of a wide layer.
_MAX_ROWS = 32768


@dataclasses.dataclass(frozen=True)
class Pruning:
    """A pruned model, and what has been chosen.

    Attributes:
        model: the narrower model, of the kind of the original.
        widths: {part: tuple of int}, of each block.
        full: {part: tuple of int}, those of the original.
        kl: float, nats. Of the model's answers from the original's, on the
            images that it was calibrated with.
        budget: str, one of `BUDGETS`: that of the widths. "uniform" where it
            turned out better than "guided".
        tried: {budget: {"kl": nats, "cost": share}}, JSON-able: what each led
            to; the cost is that of weights, or of operations where the target
            is of these.
        recovery: `Recovery`, or None without.
        blocks: tuple of dict, JSON-able, of each block: the `widths`, the
            share of each part's output that is lost (`losses`), and of the
            MLP's units which are kept (`kept`) and what those tell of its
            output, in nats (`information`), of what all do.
    """

    model: tf.keras.Model
    widths: dict
    full: dict
    kl: float
    budget: str
    tried: dict
    recovery: recovery_lib.Recovery | None
    blocks: tuple


def prune(
    model,
    batches,
    target,
    *,
    budget="guided",
    parts=None,
    criterion="logdet",
    compensate=True,
    num_kl_images=256,
    recovery_epochs=0,
    seed=0,
    on_step=None,
) -> Pruning:
    """Makes a trained network narrower.

    It looks at what the network does with images, which need no labels, orders
    the units and directions of each part by what they tell about its output,
    finds the widths that meet a target, and folds what is removed into the
    weights that stay. Nothing is trained, unless it is asked for.

    Args:
        model: a model of a kind in `models.registry`, on a `ViT` or `Swin`. It
            is as it was when this returns.
        batches: sequence of float [B, H, W, C], normalised images: 256 to
            1,024 of the kind that the network is for.
        target: str, see `Target`: "params:0.4" (of the weights, at most 40 %),
            "flops:0.5" (of the backbone's operations), or "kl:0.01" (as few
            weights as answers allow whose KL from the original's is at most
            0.01 nats on these images).
        budget: "uniform": all widths shrink alike; or "guided": each part by
            what the answers suffer from it, measured, if the result is better
            than with "uniform".
        parts: sequence of names in `narrowing.PARTS`, or None for all that the
            network has.
        criterion: one of `ordering.CRITERIA`, for the units of MLPs.
        compensate: bool. Whether units that stay take over what others did.
            Criteria that look at units together are worse than simple ones
            without it.
        num_kl_images: int > 0. Measure KL on this many of the images.
        recovery_epochs: int >= 0. Train the pruned model towards the answers
            of the original so long, see `recovery.recover`.
        seed: int. Of the criterion "random" and of the recovery.
        on_step: function (steps done, all steps, what was done), or None.

    Returns:
        `Pruning`.

    Raises:
        ValueError: an argument is none of these, the network cannot be pruned
            or the target not be met (the message says what can), or there are
            no images, or one batch for a recovery, or activations that are not
            finite.

    Source: docs/compression.md names the methods.
    """
    target = Target.parse(target)
    require_budget(budget)
    possible = narrowing_lib.parts_of(model)
    if recovery_epochs:
        recovery_lib.require_batches(batches)
    batches = [tf.cast(images, tf.float32) for images in batches]
    num_blocks = model.backbone.num_blocks
    num_parts = len(possible if parts is None else parts)
    steps = _Steps(
        on_step,
        len(batches)
        + num_blocks * (1 + (num_parts if budget == "guided" else 0))
        + recovery_epochs
        + 1,
    )
    num_images = sum(len(images) for images in batches)
    found = calibration_lib.calibrate(
        model.backbone,
        batches,
        tokens_per_image=math.ceil(_MAX_ROWS / max(num_images, 1)),
        on_batch=lambda _: steps.done("calibrating"),
    )
    orders = ordering.unit_orders(
        model,
        found,
        criterion,
        batches=batches,
        classes=_classes(model, batches, criterion),
        seed=seed,
        on_block=lambda: steps.done("selecting"),
    )
    narrowing = narrowing_lib.Narrowing(
        model, found, orders, parts=parts, compensate=compensate
    )
    fidelity = fidelity_lib.Fidelity(model, _first(batches, num_kl_images))

    def measure(widths):
        with narrowing.masked(widths):
            kl = fidelity.kl()
        return kl if math.isfinite(kl) else math.inf

    tried = _search(model, narrowing, target, budget, measure, steps)
    # What the target does not say is to be small.
    decides = "cost" if target.kind == "kl" else "kl"
    best = min(tried, key=lambda name: tried[name][decides])
    widths = tried[best].pop("widths")
    narrow = narrowing.narrow(widths)
    if target.kind == "kl":
        _require_agreement(fidelity.kl_of(narrow), tried[best]["kl"])
    recovery = None
    if recovery_epochs:
        recovery = recovery_lib.recover(
            narrow,
            model,
            batches,
            num_epochs=recovery_epochs,
            seed=seed,
            on_step=lambda: steps.done("recovering"),
        )
    kl = fidelity.kl_of(narrow)
    steps.done("done")
    return Pruning(
        model=narrow,
        widths=widths,
        full=narrowing.full,
        kl=kl,
        budget=best,
        tried={
            name: {"kl": each["kl"], "cost": each["cost"]}
            for name, each in tried.items()
        },
        recovery=recovery,
        blocks=tuple(narrowing.describe(widths, i) for i in range(num_blocks)),
    )


def require_budget(budget) -> None:
    """Raises ValueError unless `budget` is one of `BUDGETS`."""
    if budget not in BUDGETS:
        raise ValueError(
            f"`budget` must be one of {BUDGETS}. Received: {budget!r}."
        )


def _search(model, narrowing, target, budget, measure, steps):
    """Returns {budget: {"widths", "kl", "cost"}} of those that are tried."""
    full = narrowing.full
    kind = "params" if target.kind == "kl" else target.kind
    costs = Costs.of(model, full, kind)
    paths = {"uniform": budgets.uniform_path(full)}
    _require_possible(target, costs, full, paths["uniform"](1.0))
    if budget == "guided":
        sensitivities = sensitivities_lib.Sensitivities(
            narrowing, measure, lambda: steps.done("measuring")
        )
        paths["guided"] = budgets.guided_path(sensitivities, costs.rates, full)
    return {
        name: _try(path, target, costs, full, measure)
        for name, path in paths.items()
    }


def _try(path, target, costs, full, measure):
    """Returns what a path leads to: its widths, their KL and cost."""
    if target.kind == "kl":
        widths = budgets.for_kl(path, measure, target.value)
    else:
        most = target.value * costs.total(full)
        widths = budgets.for_cost(path, costs, most)
    share = costs.total(widths) / costs.total(full)
    return {"widths": widths, "kl": measure(widths), "cost": share}


class _Steps:
    def __init__(self, on_step, total):
        self._on_step = on_step
        self._total = total
        self._done = 0

    def done(self, what):
        self._done += 1
        if self._on_step is not None:
            self._on_step(self._done, self._total, what)


def _require_agreement(kl, foretold):
    """Refuses a network whose answers are not those that it was chosen by."""
    # Far more than rounding makes of either, and far less than a network that
    # computes something else.
    if not abs(kl - foretold) <= 1e-4 + 0.1 * foretold:
        raise ValueError(
            "`model` must answer alike when it is narrow and when weights of "
            "its own shapes imitate that, as `target` was met by. Received: a "
            f"KL of {kl:.3g} nats, and of {foretold:.3g}."
        )


def _classes(model, batches, criterion):
    if criterion != "marginal":
        return None
    return fidelity_lib.Fidelity(model, batches).best()


def _first(batches, num_images):
    found, left = [], num_images
    for images in batches:
        if left <= 0:
            break
        found.append(images[:left])
        left -= len(images)
    return found


def _require_possible(target, costs, full, narrowest):
    whole, least = costs.total(full), costs.total(narrowest)
    if target.kind != "kl" and least > target.value * whole:
        # Up, so that what is named can be met.
        share = math.ceil(1000 * least / whole) / 1000
        unit = {"params": "weights", "flops": "operations"}[target.kind]
        raise ValueError(
            f"`target` must be {target.kind}:{share} or more for this network: "
            f"with every part {tuple(full)} at width 1, it has still "
            f"{least:,.0f} of {whole:,.0f} {unit}. "
            f"Received: {target.kind}:{target.value}."
        )
