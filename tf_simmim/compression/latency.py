"""How long networks take, measured side by side."""

import dataclasses
import time

import numpy as np

NUM_RUNS = 50
_NUM_WARM_UPS = 3
_LEAST_RUNS = 5
# Large networks are measured less often.
_MOST_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Latency:
    """How long a network takes for a batch.

    Attributes:
        batch_size: int.
        median_ms: float, milliseconds of a clock on the wall.
        low_ms: float. A quarter of the runs were as fast.
        high_ms: float. A quarter of the runs were as slow.
        num_runs: int.
    """

    batch_size: int
    median_ms: float
    low_ms: float
    high_ms: float
    num_runs: int


def interleaved(functions, batch_size: int, num_runs=NUM_RUNS) -> list[Latency]:
    """Times functions in turn, so that what else runs slows all of them alike.

    Each is called three times before. After ten seconds no more runs begin,
    once there are five.

    Args:
        functions: sequence of functions of no arguments that return when they
            are done with a batch.
        batch_size: int > 0. What to write beside the times.
        num_runs: int > 0, of each.

    Returns:
        list of `Latency`, in the order of the functions.

    Raises:
        ValueError: `num_runs` is not positive.
    """
    if num_runs < 1:
        raise ValueError(f"`num_runs` must be positive. Received: {num_runs}.")
    for function in functions:
        for _ in range(_NUM_WARM_UPS):
            function()
    rows = []
    end = time.perf_counter() + _MOST_SECONDS
    while len(rows) < num_runs:
        if len(rows) >= _LEAST_RUNS and time.perf_counter() > end:
            break
        rows.append([_milliseconds(function) for function in functions])
    low, median, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
    return [
        Latency(
            batch_size,
            float(median[i]),
            float(low[i]),
            float(high[i]),
            len(rows),
        )
        for i in range(len(functions))
    ]


def _milliseconds(function):
    begin = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - begin)
