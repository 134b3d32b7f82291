"""Flags for pruning a network."""

from absl import flags

from tf_simmim.compression import narrowing
from tf_simmim.compression import ordering
from tf_simmim.compression import pruning
from tf_simmim.compression import target

TARGET = flags.DEFINE_string(
    "target",
    "params:0.5",
    "Shrink the network to this share of its weights (params:0.4) or of its "
    "backbone's operations (flops:0.5), or until the KL divergence of its "
    "answers from the original's is so many nats (kl:0.01).",
)
_BUDGET = flags.DEFINE_enum(
    "budget",
    "guided",
    list(pruning.BUDGETS),
    "Spread the cuts over blocks in this way: guided, by what the answers "
    "suffer from each, where that turns out better; or uniform, alike.",
)
_PARTS = flags.DEFINE_list(
    "parts",
    None,
    "Shrink these parts of blocks: mlp (hidden units), query_key and value "
    "(the rank of each head). By default it is all that the network has.",
)
_CRITERION = flags.DEFINE_enum(
    "criterion",
    "logdet",
    list(ordering.CRITERIA),
    "Choose hidden units by this: what they tell together about the layer's "
    "output, by information (logdet) or by variance (trace); or one by one, "
    "to compare with. See docs/compression.md.",
)
_COMPENSATE = flags.DEFINE_bool(
    "compensate",
    True,
    "Let the hidden units that stay take over what the others did. Without "
    "it, far more is lost.",
)
_RECOVERY_EPOCHS = flags.DEFINE_integer(
    "recovery_epochs",
    0,
    "Train the pruned network for this many epochs over the same images to "
    "answer as the original does; no label is looked at, and the best state, "
    "which may be the untrained one, is kept.",
    lower_bound=0,
)
NUM_CALIBRATION_IMAGES = flags.DEFINE_integer(
    "num_calibration_images",
    512,
    "Show the network at most this many images, whose labels are not looked "
    "at, to see what its units do.",
    lower_bound=2,
)


def _is_target(text):
    try:
        target.Target.parse(text)
    except ValueError:
        return False
    return True


flags.register_validator(
    "target",
    _is_target,
    message="must be params:SHARE or flops:SHARE, of the original's and in "
    "(0, 1], or kl:NATS, of 0 or more",
)
flags.register_validator(
    "parts",
    lambda names: names is None or set(names) <= set(narrowing.PARTS),
    message=f"must be some of {', '.join(narrowing.PARTS)}",
)


def options() -> dict:
    """Returns arguments of `pruning.prune` that the flags give."""
    return {
        "target": TARGET.value,
        "budget": _BUDGET.value,
        "parts": _PARTS.value,
        "criterion": _CRITERION.value,
        "compensate": _COMPENSATE.value,
        "recovery_epochs": _RECOVERY_EPOCHS.value,
    }
