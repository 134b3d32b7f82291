"""Flags of all that fine-tunes: the weights it begins with, the optimizer."""

import math
from pathlib import Path

from absl import flags
from absl import logging

from tf_simmim import convert
from tf_simmim import run
from tf_simmim import training
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import run_flags
from tf_simmim.run import settings

_PRETRAINED = flags.DEFINE_string(
    "pretrained",
    "",
    "Begin with the backbone of this folder: a run of pretrain.py, or weights "
    "that convert_weights.py has converted. The network learns from scratch "
    "without one.",
)
_LAYER_DECAY = flags.DEFINE_float(
    "layer_decay",
    1.0,
    "Train each layer at this share of the next one's learning rate; 1 trains "
    "all at the same rate.",
    1e-6,
    1.0,
)
_EMA_MOMENTUM = flags.DEFINE_float(
    "ema_momentum",
    0.0,
    "Evaluate moving averages of the weights, which keep this share of "
    "themselves at each step; 0 evaluates the weights themselves.",
    0.0,
    0.9999999,
)

# A run may be continued with other values of these: the weights are in its
# checkpoints, and --pretrained is not looked at again.
CHANGEABLE = ("pretrained",)

# Bounds let NaN pass.
for _flag in (_LAYER_DECAY, _EMA_MOMENTUM):
    flags.register_validator(
        _flag.name, math.isfinite, message="must be a finite number"
    )


def load_pretrained():
    """Loads the backbone of --pretrained, or returns None for none.

    Raises:
        ValueError, NoValidCheckpointError: it is not the folder of a run.
    """
    path = _PRETRAINED.value
    if not path:
        return None
    if Path(path).is_file():
        raise ValueError(
            "--pretrained must be the folder of a run of pretrain.py, or one "
            "that convert_weights.py makes of a file of weights. "
            f"Received a file: {path}."
        )
    return training.load_pretrained(path).backbone


def transfer(pretrained, backbone):
    """Gives a backbone the weights of --pretrained.

    Raises:
        ValueError: `pretrained` is another network.
    """
    path = _PRETRAINED.value
    if pretrained.channels != backbone.channels:
        raise ValueError(
            f"--channels must be {pretrained.channels}, as of the images that "
            f"{path} was pretrained on; then images are decoded so. Received: "
            f"images of {backbone.channels}."
        )
    try:
        report = convert.transfer_weights(pretrained, backbone)
    except ValueError as error:
        told = run.read_settings(path) or {}
        if "backbone" not in told:
            told = pretrained.get_config()
        theirs = [
            f"--{name}={settings.as_text(told[name])}"
            for name in backbone_flags.ARCHITECTURE_NAMES
            if name in told
        ]
        raise ValueError(
            "The flags must describe the network of --pretrained, which has "
            f"{' '.join(theirs)}. {error}"
        ) from error
    logging.info("From %s: %s", path, report.summary())


def statistics():
    """Returns mean and deviation of --pretrained, for images to learn from.

    Or those of the run that goes on, since --pretrained may have gone.

    Returns:
        (sequence of float, or None; the same): None where flags say, or where
        nothing is known.

    Raises:
        ValueError: as `run.read_record`.
    """
    if _PRETRAINED.value and not input_flags.statistics_are_given():
        for folder in (run_flags.run_path(), _PRETRAINED.value):
            if run.read_settings(folder) is not None:
                told = run.read_record(folder).input
                return told.mean, told.std
    return None, None


def optimizer_options() -> dict:
    """Returns what `optimization_flags.create_optimizer` gets on top."""
    return {
        "layer_decay": _LAYER_DECAY.value if _LAYER_DECAY.value < 1 else None,
        "ema_momentum": _EMA_MOMENTUM.value or None,
    }
