"""Flags for telling the class of a whole image: labels and augmentation."""

import math

from absl import flags

NUM_LABELS = flags.DEFINE_integer(
    "num_labels",
    None,
    "Train on so many images alone, as many of each class, drawn from --seed. "
    "By default, and where it is empty, all are used.",
    lower_bound=1,
)
RAND_AUGMENT_OPERATIONS = flags.DEFINE_integer(
    "rand_augment_operations",
    2,
    "Apply this many operations of RandAugment to each training image; 0 "
    "applies none.",
    lower_bound=0,
)
RAND_AUGMENT_MAGNITUDE = flags.DEFINE_float(
    "rand_augment_magnitude",
    9.0,
    "Apply the operations of RandAugment with this strength, from 0 to 10.",
    0.0,
    10.0,
)
RAND_AUGMENT_STDDEV = flags.DEFINE_float(
    "rand_augment_stddev",
    0.5,
    "Vary --rand_augment_magnitude from image to image by this standard "
    "deviation.",
    lower_bound=0.0,
)
ERASING_RATE = flags.DEFINE_float(
    "erasing_rate",
    0.25,
    "Erase a random rectangle of this fraction of the training images, from 0 "
    "to 1.",
    0.0,
    1.0,
)
MIXUP_ALPHA = flags.DEFINE_float(
    "mixup_alpha",
    0.8,
    "Mix pairs of images by MixUp, with shares drawn from Beta(alpha, alpha); "
    "0 is no MixUp.",
    lower_bound=0.0,
)
CUTMIX_ALPHA = flags.DEFINE_float(
    "cutmix_alpha",
    1.0,
    "Replace a box in an image by its neighbour's with CutMix, as large as a "
    "draw from Beta(alpha, alpha) says; 0 is no CutMix.",
    lower_bound=0.0,
)
MIX_RATE = flags.DEFINE_float(
    "mix_rate",
    1.0,
    "Apply MixUp or CutMix to this fraction of the batches, from 0 to 1.",
    0.0,
    1.0,
)
MIX_SWITCH_RATE = flags.DEFINE_float(
    "mix_switch_rate",
    0.5,
    "Choose CutMix, not MixUp, for this fraction of the mixed batches, from 0 "
    "to 1, where there are both.",
    0.0,
    1.0,
)
LABEL_SMOOTHING = flags.DEFINE_float(
    "label_smoothing",
    0.1,
    "Spread this share of every label evenly over all classes, from 0 to "
    "0.999.",
    0.0,
    0.999,
)
CROP_FRACTION = flags.DEFINE_float(
    "crop_fraction",
    224 / 256,
    "Look at this share of the shorter side of held-out images, from their "
    "middle.",
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
