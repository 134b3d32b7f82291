"""Marks some cases of a parameterized test as slow, and leaves others quick."""

import pytest


def slow_cases(*cases):
    """Returns a decorator, to be put above one of `absl.testing.parameterized`.

    Where all cases are slow, `pytest.mark.slow` below that one says it.

    Args:
        *cases: str or int. Which cases are slow: their names in
            `named_parameters`, or their places from 0 on, as in the names of
            the tests, in `parameters` and `product`.

    Raises:
        ValueError: the test has no such case.
    """

    def mark(tests):
        tests = list(tests)
        endings = [
            test.__name__ if hasattr(test, "__x_use_name__") else place
            for place, test in enumerate(tests)
        ]
        for case in cases:
            fits = [
                test
                for test, ending in zip(tests, endings, strict=True)
                if ending == case or str(ending).endswith(f"_{case}")
            ]
            if not fits:
                raise ValueError(
                    f"`cases` must be of the test's: {endings}. "
                    f"Received: {case!r}."
                )
            for test in fits:
                pytest.mark.slow(test)
        return tests

    return mark
