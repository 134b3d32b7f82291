"""Asks again when a server is busy."""

import itertools
import random
import time

from serving.client_side import errors

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0


def call(function, retries: int, sleep=time.sleep):
    """Returns what a function returns, called again while a server is busy.

    Before the k-th repetition it waits

        w = min(0.1 * 2^(k-1), 5) seconds, times a random number in [0.5, 1)

    so that clients that were refused together do not come back together; or
    for as long as the server asks for (`Retry-After`), 5 s at most.

    Args:
        function: callable without arguments; raises `RequestError`.
        retries: int >= 0. Repetitions.
        sleep: callable of seconds.

    Raises:
        RequestError: of a code other than UNAVAILABLE, at once; of that code,
            when there are no repetitions left.
    """
    for attempt in itertools.count():
        try:
            return function()
        except errors.RequestError as error:
            if error.code != "UNAVAILABLE" or attempt >= retries:
                raise
            wait = _FIRST_WAIT_SECONDS * 2 ** min(attempt, 10)
            wait *= random.uniform(0.5, 1.0)
            wait = max(wait, error.retry_after_seconds or 0.0)
            sleep(min(wait, _LONGEST_WAIT_SECONDS))
