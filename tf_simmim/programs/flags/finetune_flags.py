"""Flags of all that fine-tunes: the weights it begins with, the optimizer."""

import math

from absl import flags

PRETRAINED = flags.DEFINE_string(
    "pretrained",
    "",
    "Begin with the backbone of this folder: a run of pretrain.py, or weights "
    "that convert_weights.py has converted. The network learns from scratch "
    "without one.",
)
LAYER_DECAY = flags.DEFINE_float(
    "layer_decay",
    1.0,
    "Train each layer at this share of the next one's learning rate; 1 trains "
    "all at the same rate.",
    1e-6,
    1.0,
)
EMA_MOMENTUM = flags.DEFINE_float(
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
for _flag in (LAYER_DECAY, EMA_MOMENTUM):
    flags.register_validator(
        _flag.name, math.isfinite, message="must be a finite number"
    )
