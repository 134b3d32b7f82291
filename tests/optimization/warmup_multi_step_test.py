"""Tests for tf_simmim.optimization.warmup_multi_step."""

import json
import pathlib

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.optimization import warmup_multi_step

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "lr_schedules.json"
P, W, FIRST = 0.8, 4, 0.2


def schedule(**options):
    config = dict(
        learning_rate=P,
        milestone_steps=[20, 30],
        gamma=0.5,
        warmup_steps=W,
        warmup_learning_rate=FIRST,
    )
    return warmup_multi_step.WarmupMultiStep(**{**config, **options})


class WarmupMultiStepTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (0, 0.2),
        (1, 0.35),
        (3, 0.65),
        (4, 0.8),
        (19, 0.8),
        (20, 0.4),
        (29, 0.4),
        (30, 0.2),
        (1000, 0.2),
    )
    def test_follows_the_closed_form(self, step, want):
        self.assertAllClose(schedule()(step), want, rtol=1e-6, atol=0)

    @parameterized.parameters(
        ({"gamma": 0.25}, 25, 0.2),
        ({"learning_rate": 1.6}, 25, 0.8),
        ({"milestone_steps": [26]}, 25, 0.8),
        ({"milestone_steps": []}, 1000, 0.8),
        ({"warmup_steps": 0}, 0, 0.8),
        ({"warmup_learning_rate": 0.0}, 1, 0.2),
    )
    def test_every_option_changes_the_rate(self, options, step, want):
        self.assertAllClose(schedule(**options)(step), want)

    def test_gamma_is_a_tenth_unless_given(self):
        rate = warmup_multi_step.WarmupMultiStep(P, [5])
        self.assertAllClose([rate(4), rate(5)], [P, P / 10])

    def test_equals_the_reference_update_by_update(self):
        compared = 0
        for golden in json.loads(GOLDEN.read_text()):
            if golden["name"] != "multistep":
                continue
            per_epoch = golden["steps_per_epoch"]
            rate = warmup_multi_step.WarmupMultiStep(
                golden["learning_rate"],
                [epoch * per_epoch for epoch in golden["milestone_epochs"]],
                golden["gamma"],
                golden["warmup_epochs"] * per_epoch,
                golden["warmup_learning_rate"],
            )
            # The reference takes the rate of one update earlier.
            want = golden["learning_rate_of_update"][1:]
            got = [rate(step) for step in range(len(want))]
            self.assertAllClose(got, want, rtol=2e-6, atol=0)
            compared += 1
        self.assertEqual(compared, 1)

    def test_step_may_be_an_integer_variable_in_a_graph(self):
        rate = schedule()
        step = tf.Variable(25, dtype=tf.int64)
        self.assertAllClose(tf.function(rate.__call__)(step), rate(25))
        self.assertEqual(rate(step).dtype, tf.float32)

    @parameterized.parameters(
        {"milestone_steps": [30, 20]},
        {"milestone_steps": [20, 20]},
        {"milestone_steps": [4]},
        {"milestone_steps": [2]},
        {"warmup_steps": -1},
    )
    def test_milestones_out_of_order_are_refused(self, **options):
        with self.assertRaisesRegex(
            ValueError, "`milestone_steps` must increase, and `warmup_steps`"
        ):
            schedule(**options)


if __name__ == "__main__":
    tf.test.main()
