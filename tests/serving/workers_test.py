"""Tests for serving.workers; its queue under requests: routes_test.py."""

import asyncio
import contextlib
import threading

import pytest

from serving import callers
from serving import errors
from serving import workers


def test_results_and_errors_come_back():
    async def run(pool):
        assert await pool.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 7, 0)

    with contextlib.closing(workers.Workers(1, 0, 10.0)) as pool:
        asyncio.run(run(pool))
        assert not pool.are_stuck()


def test_a_place_in_the_queue_is_free_again_when_its_request_is_given_up():
    release = threading.Event()

    async def ask(pool):
        try:
            return await pool.run(release.wait, 20)
        except errors.ServingError as error:
            return error.code

    async def run(pool):
        first = await asyncio.gather(*(ask(pool) for _ in range(4)))
        assert sorted(first) == [*["DEADLINE_EXCEEDED"] * 3, "UNAVAILABLE"]
        assert pool.are_stuck()
        # The one that runs goes on; the two that waited are gone.
        second = asyncio.gather(*(ask(pool) for _ in range(3)))
        await asyncio.sleep(0)
        release.set()
        assert sorted(map(str, await second)) == ["True", "True", "UNAVAILABLE"]

    with contextlib.closing(workers.Workers(1, 2, 0.3)) as pool:
        asyncio.run(run(pool))


def test_closing_waits_for_what_runs_but_not_for_what_is_stuck():
    release = threading.Event()
    pool = workers.Workers(2, 0, 0.4)
    threads = [
        threading.Thread(
            target=lambda seconds=seconds: _ignore(
                pool.call, callers.Caller(60), release.wait, seconds
            )
        )
        for seconds in (0.1, 60)
    ]
    for thread in threads:
        thread.start()
    while len(pool._started) < 2:
        threads[0].join(0.01)
    assert not pool.close()
    assert len(pool._started) == 1  # the short one has ended
    release.set()
    for thread in threads:
        thread.join()
    assert pool.close()


def _ignore(function, *arguments):
    with contextlib.suppress(errors.ServingError):
        function(*arguments)


def test_a_caller_that_gives_up_leaves_the_queue():
    release = threading.Event()
    with contextlib.closing(workers.Workers(1, 1, 60.0)) as pool:
        first = threading.Thread(
            target=pool.call, args=(callers.Caller(60), release.wait, 60)
        )
        first.start()
        while not pool._started:
            first.join(0.01)
        # The second of these would find the queue full.
        for _ in range(2):
            with pytest.raises(errors.ServingError, match="DEADLINE_EXCEEDED"):
                pool.call(callers.Caller(0.05), divmod, 7, 2)
        release.set()
        assert pool.call(callers.Caller(), divmod, 7, 2) == (3, 1)
        first.join()
