"""Flags for the run itself: where it leaves what, how often, which seed."""

import pathlib

from absl import flags

from tf_simmim import training
from tf_simmim.programs.flags import strategy_flags  # noqa: F401  (a validator)

WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder of the run. Where it holds a run already, that run goes on. "
    "Default: runs/<name>.",
)
_NAME = flags.DEFINE_string("name", "pretrain", "Name of the run.")
SEED = flags.DEFINE_integer(
    "seed", 0, "Of weights, order of images, augmentation and masks."
)
LOG_EVERY_STEPS = flags.DEFINE_integer(
    "log_every_steps", 100, "Steps between two rows of metrics.", lower_bound=1
)
VALIDATE_EVERY_STEPS = flags.DEFINE_integer(
    "validate_every_steps",
    1000,
    "Steps between two measurements of the held-out loss, a multiple of "
    "--log_every_steps; fewer where a run would not have ten of them.",
    lower_bound=1,
)
CHECKPOINT_EVERY_STEPS = flags.DEFINE_integer(
    "checkpoint_every_steps",
    1000,
    "Steps between two checkpoints.",
    lower_bound=1,
)
KEEP_CHECKPOINTS = flags.DEFINE_integer(
    "keep_checkpoints", 3, "How many of the newest stay.", lower_bound=1
)
WANDB_PROJECT = flags.DEFINE_string(
    "wandb_project",
    None,
    "Also log to this project of Weights & Biases (needs the extra `wandb`).",
)

# A run may be continued with other values of these.
CHANGEABLE = (
    *("workdir", "name", "keep_checkpoints", "wandb_project"),
    *("log_every_steps", "validate_every_steps", "checkpoint_every_steps"),
)


@flags.multi_flags_validator(
    ["log_every_steps", "validate_every_steps"],
    message="--validate_every_steps must be a multiple of --log_every_steps",
)
def _validates_at_a_row(values):
    return values["validate_every_steps"] % values["log_every_steps"] == 0


@flags.multi_flags_validator(
    ["log_every_steps", "steps_per_execution"],
    message="--log_every_steps must be a multiple of --steps_per_execution",
)
def _a_row_ends_an_execution(values):
    return values["log_every_steps"] % values["steps_per_execution"] == 0


def run_path() -> pathlib.Path:
    """Returns where the run's folder is, or will be."""
    return pathlib.Path(WORKDIR.value or pathlib.Path("runs") / _NAME.value)


def run_directory() -> training.RunDirectory:
    """Returns the run's folder, made if need be."""
    return training.RunDirectory(WORKDIR.value or run_path())
