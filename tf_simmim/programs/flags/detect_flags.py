"""Flags of detection: the towers on the pyramid, and what is drawn."""

from absl import flags

NUM_CONVOLUTIONS = flags.DEFINE_integer(
    "num_convolutions",
    4,
    "Stack this many convolutions in the tower that tells classes, and in the "
    "one that tells boxes.",
    lower_bound=0,
)
MIN_CONFIDENCE = flags.DEFINE_float(
    "min_confidence",
    0.5,
    "Draw the detections of at least this confidence, from 0 to 1. All of "
    "them count in the scores.",
    0.0,
    1.0,
)

# A run may be continued with other values of these.
CHANGEABLE = ("min_confidence",)
