"""Tests for tf_simmim.optimization.warmup_cosine."""

import json
import math
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.optimization import warmup_cosine

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "lr_schedules.json"
# Peak, total, warm-up, first and last rate; all different.
P, T, W, FIRST, LAST = 0.8, 100, 10, 0.02, 0.05


def schedule(**options):
    config = dict(
        learning_rate=P,
        total_steps=T,
        warmup_steps=W,
        warmup_learning_rate=FIRST,
        min_learning_rate=LAST,
    )
    return warmup_cosine.WarmupCosine(**{**config, **options})


def cosine(u):
    return LAST + (P - LAST) * (1 + math.cos(math.pi * u)) / 2


class WarmupCosineTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (0, FIRST),
        (5, FIRST + (P - FIRST) / 2),
        (9, FIRST + (P - FIRST) * 0.9),
        (10, cosine(0.1)),
        (50, cosine(0.5)),
        (99, cosine(0.99)),
        (100, LAST),
        (1000, LAST),
    )
    def test_cosine_from_the_start_follows_the_closed_form(self, step, want):
        self.assertAllClose(schedule()(step), want, rtol=1e-6, atol=0)

    @parameterized.parameters(
        (0, FIRST),
        (5, FIRST + (P - FIRST) / 2),
        (10, P),
        (55, (P + LAST) / 2),
        (99, cosine(89 / 90)),
        (100, LAST),
        (1000, LAST),
    )
    def test_cosine_from_the_warmup_end_follows_the_closed_form(
        self, step, want
    ):
        rate = schedule(cosine_origin="warmup_end")(step)
        self.assertAllClose(rate, want, rtol=1e-6, atol=0)

    @parameterized.parameters((10, 0.9755), (20, 0.9045))
    def test_cosine_from_the_start_drops_where_the_warmup_ends(
        self, warmup_steps, ratio
    ):
        rate = schedule(warmup_steps=warmup_steps, min_learning_rate=0.0)
        self.assertAllClose(rate(warmup_steps) / P, ratio, atol=5e-5)

    def test_cosine_from_the_warmup_end_has_no_jump(self):
        # 1000 steps, so that a jump of 1 % would be ten times a step.
        rate = schedule(
            total_steps=1000, warmup_steps=300, cosine_origin="warmup_end"
        )
        rates = np.array([rate(step) for step in range(1002)])
        self.assertLess(np.abs(np.diff(rates)).max(), 0.004 * P)
        self.assertEqual(rates.argmax(), 300)
        self.assertTrue(np.all(np.diff(rates[:301]) > 0))
        self.assertTrue(np.all(np.diff(rates[300:]) <= 0))

    @parameterized.parameters("start", "warmup_end")
    def test_no_warmup_starts_at_the_peak(self, origin):
        rate = schedule(warmup_steps=0, cosine_origin=origin)
        self.assertAllClose(rate(0), P)
        self.assertAllClose(rate(50), (P + LAST) / 2)

    def test_equals_the_reference_update_by_update(self):
        compared = 0
        for golden in json.loads(GOLDEN.read_text()):
            if golden["name"] != "cosine":
                continue
            per_epoch = golden["steps_per_epoch"]
            rate = warmup_cosine.WarmupCosine(
                golden["learning_rate"],
                golden["epochs"] * per_epoch,
                golden["warmup_epochs"] * per_epoch,
                golden["warmup_learning_rate"],
                golden["min_learning_rate"],
            )
            # The reference takes the rate of one update earlier.
            want = golden["learning_rate_of_update"][1:]
            got = [rate(step) for step in range(len(want))]
            self.assertAllClose(got, want, rtol=2e-6, atol=0)
            compared += 1
        self.assertEqual(compared, 2)

    def test_step_may_be_an_integer_variable_in_a_graph(self):
        rate = schedule()
        step = tf.Variable(7, dtype=tf.int64)
        self.assertAllClose(tf.function(rate.__call__)(step), rate(7))
        self.assertEqual(rate(step).dtype, tf.float32)

    @parameterized.parameters((100, 100), (101, 100), (-1, 100))
    def test_warmup_as_long_as_the_run_is_refused(self, warmup_steps, total):
        with self.assertRaisesRegex(
            ValueError, r"`warmup_steps` must lie in \[0, `total_steps`\)"
        ):
            schedule(warmup_steps=warmup_steps, total_steps=total)

    def test_unknown_origin_is_refused(self):
        with self.assertRaisesRegex(
            ValueError, "`cosine_origin` must be one of .*Received: 'end'"
        ):
            schedule(cosine_origin="end")


if __name__ == "__main__":
    tf.test.main()
