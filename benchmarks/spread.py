"""A median and how far it can be trusted, as the tables print them."""

import numpy as np


def spread(values, digits=2):
    """Returns "median (low-high)": a 95 % interval of the median.

    By bootstrap over the rounds (percentiles of 2,000 resamples), so it tells
    of chance within this run, not of another machine.

    Args:
        values: list of float, one a round.
        digits: int. After the point.
    """
    values = np.asarray(values, np.float64)
    middle = np.median(values)
    if np.ptp(values) == 0:
        return f"{middle:.{digits}f}"
    from scipy import stats

    interval = stats.bootstrap(
        [values],
        np.median,
        n_resamples=2000,
        method="percentile",
        random_state=0,
    ).confidence_interval
    low, high = interval
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def ratios(rounds, key, numerator, denominator):
    """Returns one worker's figure over another's, round by round.

    Args:
        rounds: list of {name: answer}, from `turns.take_turns`.
        key: str. Of the answers.
        numerator: str. Name of a worker.
        denominator: str. Name of a worker.
    """
    return [r[numerator][key] / r[denominator][key] for r in rounds]
