"""Tests for tf_simmim.training.curriculum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tf_simmim.training import curriculum

SIZES = st.tuples(st.integers(1, 4), st.integers(1, 4))


def schedules(values):
    """Schedules of up to five values that begin at step 0."""
    later = st.lists(st.integers(1, 60), max_size=4, unique=True).map(sorted)
    return later.flatmap(
        lambda steps: st.lists(
            values, min_size=len(steps) + 1, max_size=len(steps) + 1
        ).map(lambda chosen: list(zip([0, *steps], chosen, strict=True)))
    )


THREE = (
    schedules(SIZES),
    schedules(st.sampled_from([0.3, 0.5, 0.6])),
    schedules(st.sampled_from([8, 16, 32])),
)


def test_phases_begin_where_a_value_changes():
    phases = curriculum.create_phases(
        [(0, (24, 32)), (10, (48, 32))],
        [(0, 0.5), (4, 0.6), (10, 0.7)],
        [(0, 8), (7, 8)],
    )
    assert phases == (
        curriculum.Phase(0, (24, 32), 0.5, 8),
        curriculum.Phase(4, (24, 32), 0.6, 8),
        curriculum.Phase(10, (48, 32), 0.7, 8),
    )
    steps = [0, 3, 4, 9, 10, 999]
    numbers = [curriculum.phase_at(phases, step) for step in steps]
    assert numbers == [0, 0, 1, 1, 2, 2]
    ends = [curriculum.last_step(phases, n, 12) for n in range(3)]
    assert ends == [4, 10, 12]
    assert curriculum.last_step(phases, 0, 3) == 3


@given(st.tuples(*THREE))
def test_every_step_has_the_values_of_the_schedules(three):
    phases = curriculum.create_phases(*three)
    for step in range(70):
        phase = phases[curriculum.phase_at(phases, step)]
        values = (phase.image_size, phase.mask_ratio, phase.mask_patch_size)
        for value, schedule in zip(values, three, strict=True):
            assert value == [v for first, v in schedule if first <= step][-1]


@given(st.tuples(*THREE), st.integers(1, 80))
def test_phases_follow_each_other_without_gaps_and_each_is_another(
    three, total
):
    phases = curriculum.create_phases(*three)
    assert phases[0].first_step == 0
    for before, after in zip(phases, phases[1:], strict=False):
        assert before.first_step < after.first_step
        assert vars(before) != {**vars(after), "first_step": before.first_step}
    step, visited = 0, []
    while step < total:
        visited.append(curriculum.phase_at(phases, step))
        step = curriculum.last_step(phases, visited[-1], total)
    assert visited == list(range(len(visited)))
    assert step == total


@pytest.mark.parametrize(
    "ratios", [[], [(1, 0.5)], [(0, 0.5), (0, 0.6)], [(0, 0.5), (9, 1), (4, 1)]]
)
def test_steps_that_do_not_increase_from_0_are_refused(ratios):
    with pytest.raises(ValueError, match="`mask_ratios` must begin at step 0"):
        curriculum.create_phases([(0, (8, 8))], ratios, [(0, 8)])
