"""Flags for the pictures of reconstructions that a run draws."""

from absl import flags

PICTURE_EVERY_STEPS = flags.DEFINE_integer(
    "picture_every_steps",
    1000,
    "Steps between two pictures of reconstructions; fewer where "
    "--train_epochs would not have ten of them.",
    lower_bound=1,
)
NUM_PICTURES = flags.DEFINE_integer(
    "num_pictures", 8, "Images in a picture of reconstructions.", lower_bound=1
)

# A run may be continued with other values of these.
CHANGEABLE = ("picture_every_steps", "num_pictures")
