"""Flags for the optimizer and the length of training.

Learning rates are given per --reference_batch_size images, and scaled to the
global batch. Durations are in epochs of the training images.
"""

import math

import tensorflow as tf
from absl import flags
from absl import logging

from tf_simmim import optimization

_OPTIMIZER = flags.DEFINE_enum(
    "optimizer",
    "adamw",
    optimization.OPTIMIZERS,
    "Update the weights with this optimizer.",
)
GLOBAL_BATCH_SIZE = flags.DEFINE_integer(
    "global_batch_size",
    2048,
    "Use this many images for one update, on all devices together.",
    lower_bound=1,
)
_ACCUMULATION_STEPS = flags.DEFINE_integer(
    "accumulation_steps",
    1,
    "Compute each device's share of a batch in this many parts, one after "
    "another, to save memory. Numbers change by rounding alone.",
    lower_bound=1,
)
REFERENCE_BATCH_SIZE = flags.DEFINE_integer(
    "reference_batch_size",
    512,
    "Take learning rates as given for batches of this many images, and scale "
    "them to --global_batch_size.",
    lower_bound=1,
)
BASE_LEARNING_RATE = flags.DEFINE_float(
    "base_learning_rate",
    1e-4,
    "Raise the learning rate to this peak in the warm-up, for a batch of "
    "--reference_batch_size images.",
    lower_bound=0.0,
)
_WARMUP_LEARNING_RATE = flags.DEFINE_float(
    "warmup_learning_rate",
    5e-7,
    "Begin the warm-up at this learning rate, for a batch of "
    "--reference_batch_size images.",
    lower_bound=0.0,
)
_MIN_LEARNING_RATE = flags.DEFINE_float(
    "min_learning_rate",
    0.0,
    "End the cosine schedule at this learning rate, for a batch of "
    "--reference_batch_size images.",
    lower_bound=0.0,
)
_SCHEDULE = flags.DEFINE_enum(
    "schedule",
    "cosine",
    ["cosine", "multistep"],
    "Lower the learning rate in this course: along a cosine, or at "
    "--milestone_epochs.",
)
_COSINE_ORIGIN = flags.DEFINE_enum(
    "cosine_origin",
    "start",
    optimization.COSINE_ORIGINS,
    "Begin the cosine here: at the start of the run, as the reference does "
    "(the rate drops a little when the warm-up ends), or at the end of the "
    "warm-up.",
)
_MILESTONE_EPOCHS = flags.DEFINE_list(
    "milestone_epochs",
    [],
    "Lower the learning rate at these epochs, in increasing order, with "
    "--schedule=multistep.",
)
_MILESTONE_GAMMA = flags.DEFINE_float(
    "milestone_gamma",
    0.1,
    "Multiply the learning rate by this factor, from 0 to 1, at each of "
    "--milestone_epochs.",
    0.0,
    1.0,
)
_WARMUP_EPOCHS = flags.DEFINE_float(
    "warmup_epochs",
    10.0,
    "Raise the learning rate for this many epochs, or parts of one, before it "
    "falls.",
    lower_bound=0.0,
)
_TRAIN_EPOCHS = flags.DEFINE_float(
    "train_epochs",
    100.0,
    "Train for this many epochs, or parts of one. The schedule of the "
    "learning rate is as long.",
)
_TRAIN_STEPS = flags.DEFINE_integer(
    "train_steps",
    None,
    "Stop after this many updates, wherever the schedule is then. By default "
    "training stops at the end of --train_epochs.",
    lower_bound=1,
)
_WEIGHT_DECAY = flags.DEFINE_float(
    "weight_decay",
    0.05,
    "Shrink weights by this decoupled weight decay; 0 does not.",
    lower_bound=0.0,
)
_WEIGHT_DECAY_GROUPING = flags.DEFINE_enum(
    "weight_decay_grouping",
    "reference",
    optimization.GROUPINGS,
    "Exempt weights from decay by this rule: those that the code of the "
    "reference exempts, or those that it means to exempt.",
)
_CLIP_GLOBAL_NORM = flags.DEFINE_float(
    "clip_global_norm",
    5.0,
    "Scale the gradient of all weights down to this norm where it is longer; "
    "0 sets no limit.",
    lower_bound=0.0,
)
_BETA_1 = flags.DEFINE_float(
    "beta_1",
    0.9,
    "Keep this share, from 0 to 1, of the optimizer's first moment in each "
    "update.",
    0.0,
    1.0,
)
_BETA_2 = flags.DEFINE_float(
    "beta_2",
    0.999,
    "Keep this share, from 0 to 1, of the optimizer's second moment in each "
    "update.",
    0.0,
    1.0,
)
# A run may be continued with other values of these.
CHANGEABLE = ("accumulation_steps", "train_epochs", "train_steps")

# Bounds let NaN pass.
for _flag in (
    BASE_LEARNING_RATE,
    _WARMUP_LEARNING_RATE,
    _MIN_LEARNING_RATE,
    _MILESTONE_GAMMA,
    _WARMUP_EPOCHS,
    _TRAIN_EPOCHS,
    _WEIGHT_DECAY,
    _CLIP_GLOBAL_NORM,
    _BETA_1,
    _BETA_2,
):
    flags.register_validator(
        _flag.name, math.isfinite, message="must be a finite number"
    )


def _are_increasing_numbers(values):
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return False
    return numbers == sorted(set(numbers))


flags.register_validator(
    "milestone_epochs",
    _are_increasing_numbers,
    message="must be increasing numbers",
)
flags.register_validator(
    "train_epochs", lambda value: value > 0, message="must be positive"
)


@flags.multi_flags_validator(
    ["warmup_epochs", "train_epochs", "schedule", "milestone_epochs"],
    message="--warmup_epochs must be over before --train_epochs, and before "
    "the first of --milestone_epochs; --schedule=multistep needs milestones",
)
def _warmup_fits(values):
    end = values["train_epochs"]
    if values["schedule"] == "multistep":
        if not values["milestone_epochs"]:
            return False
        end = float(values["milestone_epochs"][0])
    return values["warmup_epochs"] < end


def steps_per_epoch(num_images: int) -> int:
    """Returns the updates that one epoch counts for, as in the reference.

    Raises:
        ValueError: there are fewer images than one batch holds.
    """
    if num_images < GLOBAL_BATCH_SIZE.value:
        raise ValueError(
            "--global_batch_size must not exceed the number of training "
            f"images. Received: {GLOBAL_BATCH_SIZE.value}, for {num_images} "
            "images."
        )
    return num_images // GLOBAL_BATCH_SIZE.value


def schedule_steps(num_images: int) -> int:
    """Returns the updates of --train_epochs."""
    return max(1, round(_TRAIN_EPOCHS.value * steps_per_epoch(num_images)))


def total_steps(num_images: int) -> int:
    """Returns the updates that the run makes: the schedule's, or fewer."""
    steps = schedule_steps(num_images)
    if (_TRAIN_STEPS.value or 0) > steps:
        logging.info(
            "--train_steps=%d is more than --train_epochs has: %d steps.",
            _TRAIN_STEPS.value,
            steps,
        )
    return min(steps, _TRAIN_STEPS.value or steps)


def num_epochs(num_images: int) -> float:
    """Returns the epochs that the run makes: the schedule's, or fewer."""
    steps, per_epoch = total_steps(num_images), steps_per_epoch(num_images)
    return min(_TRAIN_EPOCHS.value, steps / per_epoch)


def peak_learning_rate() -> float:
    """Returns --base_learning_rate, scaled to the batch."""
    return optimization.scale_learning_rate(
        BASE_LEARNING_RATE.value,
        GLOBAL_BATCH_SIZE.value,
        REFERENCE_BATCH_SIZE.value,
    )


def accumulation_steps() -> int:
    """Returns --accumulation_steps, which fit the batch of a replica.

    Raises:
        ValueError: they do not divide it; the message names the nearest.
    """
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    replica_batch_size = GLOBAL_BATCH_SIZE.value // num_replicas
    steps = _ACCUMULATION_STEPS.value
    if replica_batch_size % steps:
        sizes = range(1, replica_batch_size + 1)
        divisors = [n for n in sizes if replica_batch_size % n == 0]
        nearest = min(divisors, key=lambda n: abs(n - steps))
        raise ValueError(
            "--accumulation_steps must divide the batch of a device, "
            f"{replica_batch_size} images; the nearest that does is {nearest}. "
            f"Received: {steps}."
        )
    return steps


def create_schedule(num_images: int):
    """Returns the learning-rate schedule, its rates scaled to the batch."""

    def scale(rate):
        return optimization.scale_learning_rate(
            rate, GLOBAL_BATCH_SIZE.value, REFERENCE_BATCH_SIZE.value
        )

    per_epoch = steps_per_epoch(num_images)
    warmup_steps = round(_WARMUP_EPOCHS.value * per_epoch)
    warmup = {
        # Rounding may meet the end of a run of a few steps.
        "warmup_steps": min(warmup_steps, schedule_steps(num_images) - 1),
        "warmup_learning_rate": scale(_WARMUP_LEARNING_RATE.value),
    }
    peak = scale(BASE_LEARNING_RATE.value)
    if _SCHEDULE.value == "multistep":
        milestones = [
            round(float(epoch) * per_epoch) for epoch in _MILESTONE_EPOCHS.value
        ]
        return optimization.WarmupMultiStep(
            peak, milestones, gamma=_MILESTONE_GAMMA.value, **warmup
        )
    return optimization.WarmupCosine(
        peak,
        schedule_steps(num_images),
        min_learning_rate=scale(_MIN_LEARNING_RATE.value),
        cosine_origin=_COSINE_ORIGIN.value,
        **warmup,
    )


def create_optimizer(model, schedule, **options):
    """Returns the optimizer that the flags describe.

    Args:
        model: `models.SimMIM` or `models.Classifier`.
        schedule: learning-rate schedule.
        **options: more for `optimization.create_optimizer`.
    """
    return optimization.create_optimizer(
        _OPTIMIZER.value,
        model,
        schedule,
        weight_decay=_WEIGHT_DECAY.value,
        weight_decay_grouping=_WEIGHT_DECAY_GROUPING.value,
        clip_global_norm=_CLIP_GLOBAL_NORM.value or None,
        beta_1=_BETA_1.value,
        beta_2=_BETA_2.value,
        **options,
    )
