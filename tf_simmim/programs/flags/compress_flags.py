"""Flags for a chain of compressions."""

from absl import flags

STEPS = flags.DEFINE_multi_string(
    "step",
    None,
    "Take this step: its name, prune or quantise, and words option=value, such "
    "as 'prune target=params:0.4 max_kl=0.01'. Give it once for each step, in "
    "their order; docs/compression.md has all options. By default "
    "there is none; the program needs one.",
)
MAX_KL = flags.DEFINE_float(
    "max_kl",
    None,
    "Refuse a step whose answers have a larger KL from the original's, in "
    "nats, where its line says no other. By default there is no such limit.",
    lower_bound=0.0,
)
MAX_ACCURACY_DROP = flags.DEFINE_float(
    "max_accuracy_drop",
    None,
    "Refuse a step that has lost more accuracy (or mean IoU, or mean average "
    "precision) since the original, where its line says no other: 0.01 is one "
    "image in a hundred. By default there is no such limit.",
    lower_bound=0.0,
)
CHAIN_DIR = flags.DEFINE_string(
    "chain_dir",
    None,
    "Write what each step leaves, the table and the picture to this folder. By "
    "default it is compressed/ in the folder of the run.",
)
