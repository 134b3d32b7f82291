"""Tests for tf_simmim.training.strategy.

Strategies that train: tests/integration/strategies_test.py.
"""

from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from tests.training import tf_config_test
from tf_simmim.training import strategy

WORKERS = tf_config_test.config({"worker": ["a:1", "b:2"]})


class CreateStrategyTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters("auto", "one")
    def test_one_device_needs_no_strategy_but_the_default(self, name):
        self.assertIs(
            strategy.create_strategy(name), tf.distribute.get_strategy()
        )

    def test_mirrored_takes_all_logical_processors_without_gpus(self):
        mirrored = strategy.create_strategy("mirrored")
        self.assertEqual(mirrored.num_replicas_in_sync, 2)

    @parameterized.parameters(
        (None, 1, "", "one"),
        (None, 2, "", "mirrored"),
        (None, 2, WORKERS, "multiworker"),
        (None, 0, WORKERS, "multiworker"),
        ("a", 2, WORKERS, "tpu"),
        (None, 0, tf_config_test.config({"worker": ["a:1"]}), "one"),
    )
    def test_auto_is_the_first_there_is_a_reason_for(
        self, tpu, num_gpus, config, want
    ):
        gpus = mock.patch.object(
            tf.config, "list_physical_devices", lambda kind: [kind] * num_gpus
        )
        with gpus, tf_config_test.environment(config):
            workers = strategy.tf_config.workers()
            self.assertEqual(strategy._choose(tpu, workers), want)

    @parameterized.parameters(
        ("two", None, "", "`name` must be one of"),
        ("one", "a", "", "`tpu` needs the strategy 'tpu' or 'auto'"),
        ("tpu", None, "", "needs the name of a TPU"),
        ("tpu", "", "", "needs the name of a TPU"),
        ("multiworker", None, "", "needs TF_CONFIG"),
        ("mirrored", None, WORKERS, "must be 'multiworker' where TF_CONFIG"),
        ("one", None, WORKERS, "would train on its own"),
        ("auto", None, "{", "TF_CONFIG must be JSON"),
        ("auto", "local", "", "that this machine can reach.*'local'"),
        ("tpu", "grpc://127.0.0.1:x", "", "that this machine can reach"),
        ("auto", "grpc://127.0.0.1:9", "", "can reach.*refused"),
    )
    def test_what_cannot_be_is_refused(self, name, tpu, config, message):
        with tf_config_test.environment(config):
            with self.assertRaisesRegex(ValueError, message):
                strategy.create_strategy(name, tpu)


if __name__ == "__main__":
    tf.test.main()
