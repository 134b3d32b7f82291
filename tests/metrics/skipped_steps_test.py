"""Tests for tf_simmim.metrics.skipped_steps."""

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import metrics


class SkippedStepsTest(tf.test.TestCase, parameterized.TestCase):
    def update(self, metric, skipped, num_steps):
        for step in range(1, num_steps + 1):
            metric.update_state(
                tf.constant(step in skipped), tf.constant(step, tf.int64)
            )

    @parameterized.parameters(
        ((), 6, 0, 0),
        ((2,), 6, 1, 0),
        ((2, 3, 5, 6), 6, 4, 2),
        ((1, 2, 3), 3, 3, 3),
    )
    def test_counts_all_and_those_in_a_row(
        self, skipped, num_steps, total, in_a_row
    ):
        metric = metrics.SkippedSteps()
        self.update(metric, skipped, num_steps)
        self.assertEqual(float(metric.result()), total)
        self.assertEqual(metric.count(), total)
        self.assertEqual(metric.count_in_a_row(), in_a_row)
        self.assertEqual(metric.steps(), list(skipped))

    def test_steps_since_leaves_out_the_first(self):
        metric = metrics.SkippedSteps()
        self.update(metric, (2, 3, 5), 6)
        self.assertEqual(metric.steps(since=1), [3, 5])
        self.assertEqual(metric.steps(since=3), [])

    def test_the_latest_64_are_remembered(self):
        metric = metrics.SkippedSteps()
        self.update(metric, range(1, 71), 70)
        self.assertEqual(metric.steps(), list(range(7, 71)))
        self.assertEqual(metric.steps(since=68), [69, 70])

    def test_a_reset_changes_nothing(self):
        metric = metrics.SkippedSteps()
        self.update(metric, (1, 2), 2)
        metric.reset_state()
        self.assertEqual(metric.count(), 2)
        self.assertEqual(metric.count_in_a_row(), 2)

    def test_two_replicas_count_a_step_once(self):
        strategy = tf.distribute.MirroredStrategy(
            ["/cpu:0", "/cpu:1"],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
        with strategy.scope():
            metric = metrics.SkippedSteps()

        @tf.function
        def update(step):
            strategy.run(
                lambda: metric.update_state(step % 3 == 0, step) and None
            )

        for step in range(1, 8):
            update(tf.constant(step, tf.int64))
        self.assertEqual(metric.count(), 2)
        self.assertEqual(float(metric.result()), 2)
        self.assertEqual(metric.steps(), [3, 6])


if __name__ == "__main__":
    tf.test.main()
