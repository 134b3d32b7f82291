"""Flags of all that fine-tunes: the weights it begins with, the optimizer."""

import math
import re
from pathlib import Path

from absl import flags
from absl import logging

from tf_simmim import convert
from tf_simmim import training
from tf_simmim.programs.flags import backbone_flags
from tf_simmim.programs.flags import run_flags

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

# Statistics that a network has been pretrained with.
_STATISTICS = ("image_mean", "image_std")


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
        flags_file = Path(path) / "flags.txt"
        theirs = _lines_of(flags_file, backbone_flags.ARCHITECTURE_NAMES)
        raise ValueError(
            "The flags must describe the network of --pretrained, which has "
            f"{' '.join(theirs) or 'no flags.txt'}. {error}"
        ) from error
    logging.info("From %s: %s", path, report.summary())


def take_statistics():
    """Sets mean and deviation, unless given, to those of --pretrained.

    Or to those of the run that goes on, since --pretrained may have gone.
    """
    flags_file = run_flags.run_path() / "flags.txt"
    if not flags_file.is_file():
        flags_file = Path(_PRETRAINED.value) / "flags.txt"
    if not _PRETRAINED.value or any(
        flags.FLAGS[name].value is not None for name in _STATISTICS
    ):
        return
    for line in _lines_of(flags_file, _STATISTICS):
        name, _, value = line.removeprefix("--").partition("=")
        try:
            setattr(flags.FLAGS, name, value.split(","))
        except flags.IllegalFlagValueError as error:
            raise ValueError(
                f"{flags_file} must hold flags as a run has written them. "
                f"Received: {line!r}."
            ) from error


def _lines_of(flags_file, names):
    """Returns the lines of a run's flags.txt that set certain flags."""
    if not flags_file.is_file():
        return []
    text = flags_file.read_text(encoding="utf-8", errors="replace")
    names = "|".join(names)
    return [line[0] for line in re.finditer(rf"(?m)^--({names})=.*$", text)]


def optimizer_options() -> dict:
    """Returns what `optimization_flags.create_optimizer` gets on top."""
    return {
        "layer_decay": _LAYER_DECAY.value if _LAYER_DECAY.value < 1 else None,
        "ema_momentum": _EMA_MOMENTUM.value or None,
    }
