"""Flags for what is hidden from a network that is pretrained."""

from absl import flags

from tf_simmim import masking

MASK_PATCH_SIZE = flags.DEFINE_integer(
    "mask_patch_size",
    32,
    "Hide squares of this many pixels a side.",
    lower_bound=1,
)
MASK_RATIO = flags.DEFINE_float(
    "mask_ratio",
    0.6,
    "Hide this fraction of the squares, from 0 to 1; their number is rounded "
    "up.",
    lower_bound=0.0,
    upper_bound=1.0,
)
MASK_STRATEGY = flags.DEFINE_enum(
    "mask_strategy",
    "random",
    list(masking.STRATEGIES),
    "Choose the squares to hide in this way; with pixel, they are single "
    "model patches, whatever --mask_patch_size is. See docs/masking.md.",
)
