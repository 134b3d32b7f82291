"""Flags that segmentation and detection share: the pyramid on a backbone."""

from absl import flags

PYRAMID_WIDTH = flags.DEFINE_integer(
    "pyramid_width",
    128,
    "Give the maps between the backbone and the predictions this many "
    "features.",
    lower_bound=1,
)
NUM_DRAWN = flags.DEFINE_integer(
    "num_drawn",
    8,
    "Draw the predictions for this many held-out images at the end.",
    lower_bound=1,
)

NUM_LABELLED_IMAGES = flags.DEFINE_integer(
    "num_labelled_images",
    None,
    "Train on this many images, drawn from --seed: those that somebody has "
    "had the time to label. By default all are used.",
    lower_bound=1,
)

# A run may be continued with other values of these.
CHANGEABLE = ("num_drawn",)
