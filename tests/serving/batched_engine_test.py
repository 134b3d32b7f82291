"""Tests for serving.batched_engine, and the queues and threads below it."""

import concurrent.futures
import contextlib
import threading
import time

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from serving import batch_threads
from serving import batched_engine
from serving import callers
from serving import errors
from serving import monitoring
from serving.batching_parameters import BatchingParameters

# Long enough that only what is meant to be merged is waited for.
LONG = 20_000_000


class Signature:
    inputs = {"x": None, "name": None}
    outputs = {"y": None, "z": None}


class FakeEngine:
    """Doubles rows; remembers what it was given, and does as it is told."""

    signatures = {"s": Signature}

    def __init__(self):
        self.batches = []
        self.closed = False
        # Runs wait for it.
        self.may_run = threading.Event()
        self.may_run.set()
        self.is_running = threading.Event()

    def run(self, signature_name, inputs):
        self.batches.append(inputs["x"].tolist())
        self.is_running.set()
        assert self.may_run.wait(20)
        if (inputs["x"] == -1).any():
            raise errors.invalid_argument("damaged")
        if (inputs["x"] == -2).any():
            raise KeyError("our own")
        if (inputs["x"] == -3).any():
            raise errors.ServingError("DEADLINE_EXCEEDED", "late")
        if (inputs["x"] == -4).any():
            return {"y": np.float32(1), "z": np.float32(1)}
        if (inputs["x"] == -5).any():
            return {"y": inputs["x"][1:], "z": inputs["name"]}
        return {"y": 2 * inputs["x"], "z": inputs["name"]}

    def close(self):
        assert not self.closed
        self.closed = True


@contextlib.contextmanager
def batching(num_threads=1, timeout_seconds=20.0, **parameters):
    """Yields a fake engine, and one that batches before it."""
    fake = FakeEngine()
    threads = batch_threads.BatchThreads(num_threads, timeout_seconds)
    parameters = {"batch_timeout_micros": LONG, **parameters}
    batched = batched_engine.BatchedEngine(
        fake, BatchingParameters(**parameters), threads
    )
    batched.threads = threads
    try:
        yield fake, batched
    finally:
        fake.may_run.set()
        batched.close()
        threads.close()
    assert fake.closed


def rows(*values, width=3):
    """Returns inputs with a row for each number."""
    x = np.float32(values)[:, np.newaxis] * np.ones(width, np.float32)
    name = np.array([b"%d" % value for value in values], object)
    return {"x": x, "name": name}


def ask(batched, *values, caller=None, **kwargs):
    """Returns what is made of a row for each number."""
    with callers.computing_for(caller or callers.Caller(20.0)):
        return batched.run("s", rows(*values, **kwargs))


@contextlib.contextmanager
def asking(batched, *requests):
    """Asks in threads, each once the one before waits; yields futures."""
    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        futures = []
        for request in requests:
            kwargs = request.pop() if isinstance(request[-1], dict) else {}
            before = num_asked()
            futures.append(pool.submit(ask, batched, *request, **kwargs))
            while num_asked() == before and not futures[-1].done():
                time.sleep(0.001)
        yield futures


def num_asked():
    return monitoring.INPUT_BATCH_SIZE.count("batch_threads")


def test_requests_are_computed_together_and_cut_apart_again():
    with batching(max_batch_size=4) as (fake, batched):
        with asking(batched, [1], [2, 3], [4]) as futures:
            found = [future.result() for future in futures]
    assert fake.batches == [[[v] * 3 for v in (1, 2, 3, 4)]]
    assert [each["y"].tolist() for each in found] == [
        [[2] * 3],
        [[4] * 3, [6] * 3],
        [[8] * 3],
    ]
    assert [each["z"].tolist() for each in found] == [
        [b"1"],
        [b"2", b"3"],
        [b"4"],
    ]


def test_a_request_that_does_not_fit_begins_another_batch():
    with batching(max_batch_size=4) as (fake, batched):
        with asking(batched, [1, 2, 3], [4, 5], [6, 7]) as futures:
            found = [future.result()["y"][:, 0].tolist() for future in futures]
    assert found == [[2, 4, 6], [8, 10], [12, 14]]
    assert [len(batch) for batch in fake.batches] == [3, 4]


def test_requests_of_other_shapes_are_not_merged():
    with batching(max_batch_size=2) as (fake, batched):
        wide = {"width": 5}
        requests = [1], [2, wide], [3], [4, dict(wide)]
        with asking(batched, *requests) as futures:
            found = [future.result() for future in futures]
    assert sorted(batch[0] for batch in fake.batches) == [[1] * 3, [2] * 5]
    assert found[3]["y"].tolist() == [[8] * 5]


def test_a_batch_is_filled_up_to_an_allowed_size():
    with batching(
        max_batch_size=5, batch_timeout_micros=0, allowed_batch_sizes=(3, 5)
    ) as (fake, batched):
        assert ask(batched, 7)["y"].tolist() == [[14] * 3]
        assert ask(batched, 1, 2, 3)["y"][:, 0].tolist() == [2, 4, 6]
        assert ask(batched)["y"].shape == (0, 3)
    assert fake.batches[:2] == [[[7] * 3] * 3, [[1] * 3, [2] * 3, [3] * 3]]


@hypothesis.settings(deadline=None, max_examples=20)
@hypothesis.given(
    sizes=strategies.lists(strategies.integers(0, 6), min_size=1, max_size=6),
    splits=strategies.booleans(),
    threads=strategies.integers(1, 3),
)
def test_everyone_gets_their_own_rows_back(sizes, splits, threads):
    parameters = {"max_batch_size": 6, "allowed_batch_sizes": (2, 6)}
    if splits:
        parameters |= {
            "enable_large_batch_splitting": True,
            "max_execution_batch_size": 4,
            "allowed_batch_sizes": (1, 4),
        }
    ends = np.cumsum(sizes)
    values = [
        range(end - size, end) for size, end in zip(sizes, ends, strict=True)
    ]
    with batching(
        threads,
        batch_timeout_micros=2000,
        max_enqueued_batches=99,
        **parameters,
    ) as (fake, batched):

        def run(mine):
            found = batched.run("s", rows(*mine))
            return found["y"][:, 0].tolist(), found["z"].tolist()

        with concurrent.futures.ThreadPoolExecutor(len(sizes)) as pool:
            for mine, (y, z) in zip(values, pool.map(run, values), strict=True):
                assert y == [2 * value for value in mine]
                assert z == [b"%d" % value for value in mine]
        allowed = {0, *parameters["allowed_batch_sizes"]}
        assert {len(batch) for batch in fake.batches} <= allowed


def test_a_request_larger_than_a_batch_is_refused_or_split():
    with batching(max_batch_size=2) as (fake, batched):
        with pytest.raises(
            errors.ServingError,
            match="INVALID_ARGUMENT: Task size 3 is larger than maximum input "
            "batch size 2",
        ):
            ask(batched, 1, 2, 3)
        assert not fake.batches
    with batching(
        max_batch_size=5,
        enable_large_batch_splitting=True,
        max_execution_batch_size=2,
        batch_timeout_micros=0,
    ) as (fake, batched):
        found = ask(batched, 1, 2, 3, 4, 5)
        assert found["y"][:, 0].tolist() == [2, 4, 6, 8, 10]
        assert [len(batch) for batch in fake.batches] == [2, 2, 1]
        with pytest.raises(errors.ServingError, match="Task size 6"):
            ask(batched, *range(6))


def test_a_full_queue_refuses_at_once():
    with batching(
        max_batch_size=2, max_enqueued_batches=1, batch_timeout_micros=0
    ) as (fake, batched):
        fake.may_run.clear()
        with asking(batched, [1]) as running:
            assert fake.is_running.wait(20)
            with asking(batched, [2]) as waiting:
                for too_many in ([3, 4], [5, 6]):
                    with pytest.raises(
                        errors.ServingError, match="UNAVAILABLE: .* is full"
                    ):
                        ask(batched, *too_many)
                assert batched.threads.num_waiting() == 1
                fake.may_run.set()
                assert waiting[0].result()["y"].tolist() == [[4] * 3]
            assert running[0].result()["y"].tolist() == [[2] * 3]
        assert ask(batched, 3)["y"].tolist() == [[6] * 3]


def test_one_damaged_image_fails_its_own_request_only():
    retried = monitoring.BATCH_RETRY_COUNT.value()
    with batching(max_batch_size=4) as (fake, batched):
        with asking(batched, [1], [-1], [3], [4]) as futures:
            with pytest.raises(errors.ServingError, match="damaged"):
                futures[1].result()
            found = [futures[i].result()["y"][0, 0] for i in (0, 2, 3)]
    assert found == [2, 6, 8]
    # Once together, then once each: no more.
    assert [len(batch) for batch in fake.batches] == [4, 1, 1, 1, 1]
    assert monitoring.BATCH_RETRY_COUNT.value() == retried + 4


def test_what_failed_alone_or_for_lack_of_time_is_not_tried_again():
    with batching(max_batch_size=2) as (fake, batched):
        with pytest.raises(errors.ServingError, match="damaged"):
            ask(batched, -1, 2)
        assert len(fake.batches) == 1
        with asking(batched, [1], [-3]) as futures:
            for future in futures:
                with pytest.raises(errors.ServingError, match="late"):
                    future.result()
        assert len(fake.batches) == 2


def test_an_error_of_our_own_reaches_who_asked_and_the_thread_goes_on():
    with batching(max_batch_size=2) as (_, batched):
        with asking(batched, [-2], [1]) as futures:
            with pytest.raises(KeyError):
                futures[0].result()
            assert futures[1].result()["y"].tolist() == [[2] * 3]


def test_what_nobody_waits_for_is_not_computed():
    with batching(max_batch_size=3, batch_timeout_micros=0) as (fake, batched):
        fake.may_run.clear()
        with asking(batched, [1]) as running:
            assert fake.is_running.wait(20)
            gone, late = callers.Caller(20.0), callers.Caller(0.05)
            with asking(
                batched, [2, {"caller": gone}], [3, {"caller": late}], [4]
            ) as futures:
                gone.leave()
                with pytest.raises(errors.ServingError, match="DEADLINE"):
                    futures[1].result()
                fake.may_run.set()
                with pytest.raises(errors.ServingError, match="CANCELLED"):
                    futures[0].result()
                assert futures[2].result()["y"].tolist() == [[8] * 3]
            running[0].result()
    assert [batch[0][0] for batch in fake.batches] == [1, 4]


def test_who_gave_up_makes_room_in_the_queue():
    with batching(
        max_batch_size=1, max_enqueued_batches=1, batch_timeout_micros=0
    ) as (fake, batched):
        fake.may_run.clear()
        with asking(batched, [1]):
            assert fake.is_running.wait(20)
            with pytest.raises(errors.ServingError, match="DEADLINE"):
                ask(batched, 2, caller=callers.Caller(0.05))
            with asking(batched, [3]) as futures:
                fake.may_run.set()
                assert futures[0].result()["y"].tolist() == [[6] * 3]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": np.float32(1), "name": rows(1)["name"]}, "one dimension"),
        ({**rows(1, 2), "name": rows(1)["name"]}, "equal 0th-dimension"),
        (rows(-4), "FAILED_PRECONDITION: .* has 0 dimensions"),
        (rows(-5), "FAILED_PRECONDITION: .*does not equal the sum"),
    ],
)
def test_what_has_no_batch_is_refused_as_tensorflow_serving_does(
    inputs, message
):
    with batching(batch_timeout_micros=0) as (_, batched):
        with pytest.raises(errors.ServingError, match=message):
            batched.run("s", inputs)


def test_threads_are_stuck_when_all_of_them_run_too_long():
    with batching(
        num_threads=2,
        timeout_seconds=0.2,
        batch_timeout_micros=0,
        max_batch_size=1,
    ) as (fake, batched):
        fake.may_run.clear()
        with asking(batched, [1]):
            assert fake.is_running.wait(20)
            time.sleep(0.3)
            assert not batched.threads.are_stuck()
            with asking(batched, [2]):
                while not batched.threads.are_stuck():
                    time.sleep(0.01)
                fake.may_run.set()
        while batched.threads.are_stuck():
            time.sleep(0.01)


def test_an_engine_is_freed_after_the_batch_that_it_computes():
    with batching(batch_timeout_micros=0, max_batch_size=1) as (fake, batched):
        fake.may_run.clear()
        with pytest.raises(errors.ServingError, match="DEADLINE"):
            ask(batched, 1, caller=callers.Caller(0.05))
        batched.close()
        assert not fake.closed
        fake.may_run.set()
        deadline = time.monotonic() + 20
        while not fake.closed and time.monotonic() < deadline:
            time.sleep(0.001)
        assert fake.closed
        # What follows closes it again.
        batched.close = lambda: None


def test_an_end_computes_what_waits_without_waiting_for_more():
    with batching(max_batch_size=9) as (fake, batched):
        with asking(batched, [1], [2]) as futures:
            batched.threads.close()
            assert [f.result()["y"][0, 0] for f in futures] == [2, 4]
    assert len(fake.batches) == 1
