"""Flags that segmentation and detection share: the pyramid on a backbone."""

from absl import flags

PYRAMID_WIDTH = flags.DEFINE_integer(
    "pyramid_width",
    128,
    "Features of the maps between the backbone and what is predicted.",
    lower_bound=1,
)
NUM_DRAWN = flags.DEFINE_integer(
    "num_drawn",
    8,
    "Held-out images whose prediction is drawn in the end.",
    lower_bound=1,
)

NUM_LABELLED_IMAGES = flags.DEFINE_integer(
    "num_labelled_images",
    None,
    "Images to train on, drawn by --seed: those that somebody has had the time "
    "to label. Default: all.",
    lower_bound=1,
)

# A run may be continued with other values of these.
CHANGEABLE = ("num_drawn",)
