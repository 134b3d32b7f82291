"""Flags for what is hidden from a network that is pretrained."""

from absl import flags

from tf_simmim import masking

MASK_PATCH_SIZE = flags.DEFINE_integer(
    "mask_patch_size", 32, "Side of the squares to hide, px.", lower_bound=1
)
MASK_RATIO = flags.DEFINE_float(
    "mask_ratio",
    0.6,
    "Fraction of the squares to hide, counted up.",
    lower_bound=0.0,
    upper_bound=1.0,
)
MASK_STRATEGY = flags.DEFINE_enum(
    "mask_strategy",
    "random",
    list(masking.STRATEGIES),
    "How the squares to hide are chosen; pixel: single model patches, whatever "
    "--mask_patch_size is. See docs/masking.md.",
)
