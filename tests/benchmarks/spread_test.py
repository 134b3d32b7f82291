"""Tests for benchmarks/spread.py."""

import numpy as np
from spread import ratios
from spread import spread


def test_one_value_has_no_interval():
    assert spread([1.5, 1.5, 1.5]) == "1.50"


def test_the_interval_holds_the_median_of_where_values_come_from():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(50):
        middle, _, interval = spread(rng.normal(7, 1, size=25), 3).partition(
            " "
        )
        low, high = map(float, interval.strip("()").split("-"))
        assert low <= float(middle) <= high
        hits += low <= 7 <= high
    assert hits >= 42  # of 47.5 expected


def test_ratios_are_of_the_same_round():
    rounds = [
        {"a": {"seconds": 6.0}, "b": {"seconds": 3.0}},
        {"a": {"seconds": 1.0}, "b": {"seconds": 4.0}},
    ]
    assert ratios(rounds, "seconds", "a", "b") == [2.0, 0.25]
