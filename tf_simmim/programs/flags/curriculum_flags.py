"""Flags for curricula: image size and mask that change in the course of a run.

A schedule is a list VALUE@EPOCH,VALUE@EPOCH,...: each value holds from its
epoch on, until the next one's.
"""

import re

from absl import flags

from tf_simmim import training
from tf_simmim.programs.flags import input_flags
from tf_simmim.programs.flags import masking_flags
from tf_simmim.programs.flags import optimization_flags

_IMAGE_SIZE_SCHEDULE = flags.DEFINE_list(
    "image_size_schedule",
    None,
    "Train at these image sizes in the place of --image_size, each from an "
    "epoch on, as in 128@0,192@50. A size is SIDE or HEIGHTxWIDTH in pixels. "
    "By default the size stays the same.",
)
_MASK_RATIO_SCHEDULE = flags.DEFINE_list(
    "mask_ratio_schedule",
    None,
    "Hide these fractions of the squares in the place of --mask_ratio, each "
    "from an epoch on, as in 0.5@0,0.6@50. By default the ratio stays the "
    "same.",
)
_MASK_PATCH_SIZE_SCHEDULE = flags.DEFINE_list(
    "mask_patch_size_schedule",
    None,
    "Hide squares of these sizes, in pixels, in the place of "
    "--mask_patch_size, each from an epoch on, as in 16@0,32@50. By default "
    "the size stays the same.",
)


def _size(text):
    sides = [int(side) for side in text.split("x")]
    return (sides[0], sides[-1])


# What a value looks like.
_PATTERNS = (
    (_IMAGE_SIZE_SCHEDULE, r"[1-9]\d*(x[1-9]\d*)?"),
    (_MASK_RATIO_SCHEDULE, r"0?\.\d+"),
    (_MASK_PATCH_SIZE_SCHEDULE, r"[1-9]\d*"),
)
_EPOCH = r"\d+(\.\d*)?|\.\d+"


def _is_schedule(pattern):
    def check(items):
        if items is None:
            return True
        matches = [
            re.fullmatch(f"{pattern}@({_EPOCH})", item, re.ASCII)
            for item in items
        ]
        if not items or None in matches:
            return False
        epochs = [float(item.partition("@")[2]) for item in items]
        return epochs[0] == 0 and epochs == sorted(set(epochs))

    return check


for _flag, _pattern in _PATTERNS:
    flags.register_validator(
        _flag.name,
        _is_schedule(_pattern),
        message="must be VALUE@EPOCH,VALUE@EPOCH,...: the first epoch is 0, "
        "and they increase",
    )


def has_schedules() -> bool:
    """Tells whether anything changes in the course of the run."""
    return any(flag.value is not None for flag, _ in _PATTERNS)


def constant_phase() -> training.Phase:
    """Returns what a run without schedules is."""
    return training.Phase(
        0,
        input_flags.image_size(),
        masking_flags.MASK_RATIO.value,
        masking_flags.MASK_PATCH_SIZE.value,
    )


def create_phases(num_images: int) -> tuple[training.Phase, ...]:
    """Returns the phases of a run; one without any schedule.

    Args:
        num_images: int. Images to train on.

    Raises:
        ValueError: a value of a schedule would hold for no step: it begins
            with the next one, or when the run is over.
    """
    end = optimization_flags.schedule_steps(num_images)
    per_epoch = optimization_flags.steps_per_epoch(num_images)

    def steps_and_values(flag, parse, constant):
        if flag.value is None:
            return [(0, constant)]
        schedule = []
        for item in flag.value:
            value, _, epoch = item.partition("@")
            step = round(float(epoch) * per_epoch)
            if step >= end or (schedule and step <= schedule[-1][0]):
                raise ValueError(
                    f"--{flag.name} must give each value a step at least, "
                    f"before the run ends: an epoch has {per_epoch} steps, and "
                    f"--train_epochs {end}. Received: {item}."
                )
            schedule.append((step, parse(value)))
        return schedule

    return training.create_phases(
        steps_and_values(_IMAGE_SIZE_SCHEDULE, _size, input_flags.image_size()),
        steps_and_values(
            _MASK_RATIO_SCHEDULE, float, masking_flags.MASK_RATIO.value
        ),
        steps_and_values(
            _MASK_PATCH_SIZE_SCHEDULE, int, masking_flags.MASK_PATCH_SIZE.value
        ),
    )
