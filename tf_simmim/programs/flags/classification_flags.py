"""Flags for telling the class of a whole image: labels and augmentation."""

import math

from absl import flags

NUM_LABELS = flags.DEFINE_integer(
    "num_labels",
    None,
    "Train on so many images alone, as many of each class, drawn from --seed. "
    "Default, and where it is empty: all.",
    lower_bound=1,
)
RAND_AUGMENT_OPERATIONS = flags.DEFINE_integer(
    "rand_augment_operations",
    2,
    "Operations of RandAugment on each image; 0 for none.",
    lower_bound=0,
)
RAND_AUGMENT_MAGNITUDE = flags.DEFINE_float(
    "rand_augment_magnitude", 9.0, "How strong they are.", 0.0, 10.0
)
RAND_AUGMENT_STDDEV = flags.DEFINE_float(
    "rand_augment_stddev",
    0.5,
    "Standard deviation of that, from image to image.",
    lower_bound=0.0,
)
ERASING_RATE = flags.DEFINE_float(
    "erasing_rate",
    0.25,
    "Images of which a random rectangle is erased.",
    0.0,
    1.0,
)
MIXUP_ALPHA = flags.DEFINE_float(
    "mixup_alpha",
    0.8,
    "Mix pairs of images by Beta(alpha, alpha); 0 for no MixUp.",
    lower_bound=0.0,
)
CUTMIX_ALPHA = flags.DEFINE_float(
    "cutmix_alpha",
    1.0,
    "Replace a box of images by their neighbours', as large as "
    "Beta(alpha, alpha) says; 0 for no CutMix.",
    lower_bound=0.0,
)
MIX_RATE = flags.DEFINE_float(
    "mix_rate", 1.0, "Batches that either is done to.", 0.0, 1.0
)
MIX_SWITCH_RATE = flags.DEFINE_float(
    "mix_switch_rate",
    0.5,
    "Of these, batches that CutMix is done to where there are both.",
    0.0,
    1.0,
)
LABEL_SMOOTHING = flags.DEFINE_float(
    "label_smoothing",
    0.1,
    "Share of every label that goes to all classes alike.",
    0.0,
    0.999,
)
CROP_FRACTION = flags.DEFINE_float(
    "crop_fraction",
    224 / 256,
    "Share of the shorter side of held-out images that is looked at.",
    0.01,
    1.0,
)

# Bounds let NaN pass.
for _flag in (
    RAND_AUGMENT_MAGNITUDE,
    RAND_AUGMENT_STDDEV,
    ERASING_RATE,
    MIXUP_ALPHA,
    CUTMIX_ALPHA,
    MIX_RATE,
    MIX_SWITCH_RATE,
    LABEL_SMOOTHING,
    CROP_FRACTION,
):
    flags.register_validator(
        _flag.name, math.isfinite, message="must be a finite number"
    )
