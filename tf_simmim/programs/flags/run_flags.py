"""Flags for the run itself: where it leaves what, how often, which seed."""

import pathlib

from absl import flags

from tf_simmim import training
from tf_simmim.programs.flags import strategy_flags  # noqa: F401  (a validator)

WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Keep the run in this folder; where it holds a run already, that run goes "
    "on. By default it is runs/NAME, with the name of --name.",
)
_NAME = flags.DEFINE_string(
    "name",
    "pretrain",
    "Call the run by this name, which is also that of its folder in runs/.",
)
SEED = flags.DEFINE_integer(
    "seed",
    0,
    "Draw the first weights, the order of images, augmentation and masks from "
    "this seed.",
)
LOG_EVERY_STEPS = flags.DEFINE_integer(
    "log_every_steps",
    100,
    "Write a row of metrics after every so many steps.",
    lower_bound=1,
)
VALIDATE_EVERY_STEPS = flags.DEFINE_integer(
    "validate_every_steps",
    1000,
    "Measure the held-out loss after every so many steps, a multiple of "
    "--log_every_steps; more often where a run would have fewer than ten "
    "measurements.",
    lower_bound=1,
)
CHECKPOINT_EVERY_STEPS = flags.DEFINE_integer(
    "checkpoint_every_steps",
    1000,
    "Save a checkpoint after every so many steps.",
    lower_bound=1,
)
KEEP_CHECKPOINTS = flags.DEFINE_integer(
    "keep_checkpoints",
    3,
    "Keep this many of the newest checkpoints.",
    lower_bound=1,
)
WANDB_PROJECT = flags.DEFINE_string(
    "wandb_project",
    None,
    "Log to this project of Weights & Biases as well, for which the extra "
    "`wandb` is needed. By default nothing is sent there.",
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
