"""Flags for the pictures of reconstructions that a run draws."""

from absl import flags

PICTURE_EVERY_STEPS = flags.DEFINE_integer(
    "picture_every_steps",
    1000,
    "Draw a picture of reconstructions after every so many steps; more often "
    "where --train_epochs would have fewer than ten of them.",
    lower_bound=1,
)
NUM_PICTURES = flags.DEFINE_integer(
    "num_pictures",
    8,
    "Show this many images in a picture of reconstructions.",
    lower_bound=1,
)

# A run may be continued with other values of these.
CHANGEABLE = ("picture_every_steps", "num_pictures")
