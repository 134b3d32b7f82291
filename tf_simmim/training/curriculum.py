"""Curricula: image size and mask as functions of the step, in phases."""

import bisect
import dataclasses


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of a run, in which image size and mask stay as they are.

    Attributes:
        first_step: int >= 0. Steps taken when it begins.
        image_size: (height, width), px.
        mask_ratio: float. Fraction of mask patches to hide.
        mask_patch_size: int, px.
    """

    first_step: int
    image_size: tuple[int, int]
    mask_ratio: float
    mask_patch_size: int

    def __str__(self):
        height, width = self.image_size
        return (
            f"{height}x{width} px with a mask ratio of {self.mask_ratio} and "
            f"mask patches of {self.mask_patch_size} px, from step "
            f"{self.first_step} on"
        )


def create_phases(
    image_sizes, mask_ratios, mask_patch_sizes
) -> tuple[Phase, ...]:
    """Combines three schedules into the phases of a run.

    A schedule is a list of (first step, value): each value holds from its
    step on, until the next one's. A phase begins wherever one of the values
    changes; a value that is repeated begins none.

    Args:
        image_sizes: list of (int, (height, width)), px.
        mask_ratios: list of (int, float).
        mask_patch_sizes: list of (int, int), px.

    Returns:
        tuple of `Phase`, in order; the first begins at step 0.

    Raises:
        ValueError: the steps of a schedule do not begin at 0 or do not
            increase.
    """
    schedules = {
        "image_sizes": image_sizes,
        "mask_ratios": mask_ratios,
        "mask_patch_sizes": mask_patch_sizes,
    }
    for name, schedule in schedules.items():
        steps = [step for step, _ in schedule]
        if steps[:1] != [0] or steps != sorted(set(steps)):
            raise ValueError(
                f"`{name}` must begin at step 0, and each value after the one "
                f"before. Received: {schedule}."
            )
    phases = []
    for step in sorted({s for each in schedules.values() for s, _ in each}):
        values = [_value_at(each, step) for each in schedules.values()]
        phase = Phase(step, *values)
        if not phases or not _has_same_values(phase, phases[-1]):
            phases.append(phase)
    return tuple(phases)


def phase_at(phases, step: int) -> int:
    """Returns the number, from 0, of the phase that the next step belongs to.

    Args:
        phases: tuple of `Phase`, from `create_phases`.
        step: int >= 0. Steps taken so far.
    """
    return bisect.bisect_right([p.first_step for p in phases], step) - 1


def last_step(phases, number: int, total_steps: int) -> int:
    """Returns the steps taken when a phase is over, or the run with it.

    Args:
        phases: tuple of `Phase`, from `create_phases`.
        number: int, from 0.
        total_steps: int. Steps of the whole run.
    """
    following = phases[number + 1 :]
    return min([total_steps, *(phase.first_step for phase in following)])


def _value_at(schedule, step):
    return [value for first, value in schedule if first <= step][-1]


def _has_same_values(phase, other):
    return dataclasses.replace(phase, first_step=other.first_step) == other
