"""Tests for tf_simmim.metrics.finite_mean."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import metrics


class FiniteMeanTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(np.nan, np.inf, -np.inf)
    def test_mean_of_the_finite_values(self, bad):
        metric = metrics.FiniteMean()
        for value in (1.0, bad, 4.0, bad):
            metric.update_state(tf.constant(value))
        self.assertEqual(float(metric.result()), 2.5)

    def test_weights_count(self):
        metric = metrics.FiniteMean()
        metric.update_state(tf.constant(1.0), sample_weight=tf.constant(3))
        metric.update_state(tf.constant(5.0), sample_weight=tf.constant(1))
        metric.update_state(tf.constant(np.nan), sample_weight=tf.constant(9))
        self.assertEqual(float(metric.result()), 2.0)

    def test_without_a_finite_value_it_is_not_a_number(self):
        metric = metrics.FiniteMean()
        self.assertTrue(np.isnan(metric.result()))
        metric.update_state(tf.constant(np.inf))
        self.assertTrue(np.isnan(metric.result()))
        metric.update_state(tf.constant(2.0))
        self.assertEqual(float(metric.result()), 2.0)
        metric.reset_state()
        self.assertTrue(np.isnan(metric.result()))

    def test_zero_is_a_value(self):
        metric = metrics.FiniteMean()
        metric.update_state(tf.constant(0.0))
        self.assertEqual(float(metric.result()), 0.0)


if __name__ == "__main__":
    tf.test.main()
