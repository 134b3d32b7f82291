"""Tests for tf_simmim.compression.latency."""

from unittest import mock

import tensorflow as tf

from tf_simmim.compression import latency


class Clock:
    """A clock that moves when functions of it are called."""

    def __init__(self):
        self.seconds = 0.0
        self.calls = []

    def function(self, name, seconds):
        times = iter(seconds)

        def call():
            self.calls.append(name)
            self.seconds += next(times)

        return call


class LatencyTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.enter_context(
            mock.patch.object(
                latency.time, "perf_counter", lambda: self.clock.seconds
            )
        )

    def test_times_are_the_middle_half_of_runs_in_turn(self):
        a = self.clock.function("a", [9] * 3 + [0.001, 0.005, 0.002, 0.003, 0])
        b = self.clock.function("b", [9] * 3 + [0.01] * 5)
        first, second = latency.interleaved([a, b], batch_size=7, num_runs=5)
        self.assertEqual(self.clock.calls[6:], ["a", "b"] * 5)
        self.assertEqual((first.batch_size, first.num_runs), (7, 5))
        self.assertAllClose(first.median_ms, 2.0)
        self.assertAllClose([first.low_ms, first.high_ms], [1.0, 3.0])
        self.assertAllClose(second.median_ms, 10.0)

    def test_slow_functions_are_called_five_times(self):
        slow = self.clock.function("a", [4.0] * 20)
        (found,) = latency.interleaved([slow], batch_size=1)
        self.assertEqual(found.num_runs, 5)
        self.assertAllClose(found.median_ms, 4000.0)

    def test_no_runs_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`num_runs`.*Received: 0"):
            latency.interleaved([lambda: None], 1, num_runs=0)


if __name__ == "__main__":
    tf.test.main()
