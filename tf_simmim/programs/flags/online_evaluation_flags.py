"""Flags for judging the features of a run while it trains."""

from absl import flags

from tf_simmim.programs.flags import run_flags  # noqa: F401  (a validator)

EVALUATE_EVERY = flags.DEFINE_integer(
    "evaluate_every",
    0,
    "Evaluate the frozen features of several blocks after every so many "
    "steps, a multiple of --log_every_steps, by nearest neighbours and ridge "
    "regression; 0 never does. It needs labels; results are in metrics.jsonl "
    "and TensorBoard.",
    lower_bound=0,
)
EVALUATE_BLOCKS = flags.DEFINE_list(
    "evaluate_blocks",
    None,
    "Evaluate these blocks during training, counted from 0. By default they "
    "are four, spread evenly.",
)
# A run may be continued with other values of these.
CHANGEABLE = ("evaluate_every", "evaluate_blocks")

flags.register_validator(
    "evaluate_blocks",
    lambda values: (
        values is None or bool(values) and all(v.isdecimal() for v in values)
    ),
    message="must be numbers of blocks, from 0",
)


@flags.multi_flags_validator(
    ["log_every_steps", "evaluate_every"],
    message="--evaluate_every must be a multiple of --log_every_steps",
)
def _evaluates_at_a_row(values):
    return values["evaluate_every"] % values["log_every_steps"] == 0
