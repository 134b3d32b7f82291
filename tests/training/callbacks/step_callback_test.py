"""Tests for tf_simmim.training.callbacks.step_callback."""

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.training.callbacks import step_callback


class Recorder(step_callback.StepCallback):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.steps = []

    def at_step(self, step, logs):
        self.steps.append(step)


class StepCallbackTest(tf.test.TestCase, parameterized.TestCase):
    def fit(self, recorder, start=0, num_steps=8, **options):
        model = tf.keras.Sequential(
            [tf.keras.layers.Dense(1, kernel_initializer="zeros")]
        )
        model.compile("sgd", "mse", **options)
        model.optimizer.iterations.assign(start)
        x = tf.zeros([2 * num_steps, 3])
        y = tf.zeros([2 * num_steps, 1])
        model.fit(x, y, batch_size=2, verbose=0, callbacks=[recorder])
        return recorder.steps

    def test_multiples_and_the_last_step_are_due(self):
        self.assertEqual(self.fit(Recorder(3, last_step=8)), [3, 6, 8])

    def test_last_step_that_is_a_multiple_is_due_once(self):
        self.assertEqual(self.fit(Recorder(4, last_step=8)), [4, 8])

    def test_without_a_last_step_only_multiples_are_due(self):
        self.assertEqual(self.fit(Recorder(3)), [3, 6])

    def test_resumed_run_goes_on_at_the_same_multiples(self):
        self.assertEqual(self.fit(Recorder(3), start=5), [6, 9, 12])

    def test_several_steps_at_once_miss_nothing(self):
        steps = self.fit(Recorder(3, last_step=8), steps_per_execution=4)
        self.assertEqual(steps, [4, 8])

    def test_interval_below_one_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`every_steps`.*: 0"):
            Recorder(0)


if __name__ == "__main__":
    tf.test.main()
