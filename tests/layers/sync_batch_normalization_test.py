"""Tests for tf_simmim.layers.sync_batch_normalization."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import sync_batch_normalization

B, H, W, D = 4, 2, 3, 5


def two_replicas():
    return tf.distribute.MirroredStrategy(
        ["/cpu:0", "/cpu:1"],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


class SyncBatchNormalizationTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        # Each half has a mean of its own.
        shift = np.array([0, 0, 3, 3])[:, None, None, None]
        self.x = (shift + rng.normal(size=[B, H, W, D])).astype(np.float32)

    def create(self, **options):
        layer = sync_batch_normalization.SyncBatchNormalization(**options)
        layer.build([None, H, W, D])
        layer.gamma.assign(np.arange(1.0, D + 1))
        layer.beta.assign(np.arange(D) - 2.0)
        return layer

    def want(self, mean, variance, epsilon):
        y = (self.x - mean) / np.sqrt(variance + epsilon)
        return y * np.arange(1, D + 1) + np.arange(D) - 2.0

    def test_training_uses_the_batch_and_remembers_it(self):
        layer = self.create(momentum=0.7, epsilon=1e-2)
        y = layer(self.x, training=True)
        mean, variance = self.x.mean((0, 1, 2)), self.x.var((0, 1, 2))
        self.assertAllClose(y, self.want(mean, variance, 1e-2), atol=1e-5)
        self.assertAllClose(layer.moving_mean, 0.3 * mean, atol=1e-6)
        self.assertAllClose(layer.moving_variance, 0.7 + 0.3 * variance)

    def test_evaluation_uses_what_it_remembers(self):
        layer = self.create(epsilon=1e-2)
        layer.moving_mean.assign(np.full([D], 2.0))
        layer.moving_variance.assign(np.arange(1.0, D + 1))
        y = layer(self.x, training=False)
        want = self.want(2.0, np.arange(1, D + 1), 1e-2)
        self.assertAllClose(y, want, atol=1e-5)
        self.assertAllEqual(layer(self.x), y)
        self.assertAllEqual(layer.moving_mean, np.full([D], 2.0))

    def test_a_frozen_one_answers_as_kerass_own_and_remembers_nothing(self):
        layer = self.create(epsilon=1e-2)
        other = tf.keras.layers.BatchNormalization(epsilon=1e-2)
        other.build([None, H, W, D])
        for each in (layer, other):
            each.gamma.assign(np.arange(1.0, D + 1))
            each.beta.assign(np.arange(D) - 2.0)
            each.moving_mean.assign(np.full([D], 2.0))
            each.moving_variance.assign(np.arange(1.0, D + 1))
            each.trainable = False
        got = layer(self.x, training=True)
        self.assertAllClose(got, other(self.x, training=True), atol=1e-5)
        self.assertAllEqual(layer.moving_mean, other.moving_mean)
        self.assertAllEqual(layer.moving_variance, other.moving_variance)
        layer.trainable = True
        layer(self.x, training=True)
        self.assertNotAllClose(layer.moving_mean, other.moving_mean)

    def test_two_replicas_have_the_statistics_of_both(self):
        strategy = two_replicas()
        with strategy.scope():
            layer = self.create(momentum=0.7, epsilon=1e-2)

        @tf.function
        def step():
            replica = tf.distribute.get_replica_context()
            start = 2 * replica.replica_id_in_sync_group
            return layer(tf.constant(self.x)[start : start + 2], training=True)

        shares = strategy.experimental_local_results(strategy.run(step))
        mean, variance = self.x.mean((0, 1, 2)), self.x.var((0, 1, 2))
        want = self.want(mean, variance, 1e-2)
        self.assertAllClose(np.concatenate(shares), want, atol=1e-5)
        self.assertAllClose(layer.moving_mean.numpy(), 0.3 * mean, atol=1e-6)
        self.assertAllClose(layer.moving_variance.numpy(), 0.7 + 0.3 * variance)

    def test_a_large_mean_does_not_spoil_the_variance(self):
        layer = self.create(epsilon=1e-5)
        y = layer(1000 + 0.1 * self.x, training=True)
        want = self.want(self.x.mean((0, 1, 2)), self.x.var((0, 1, 2)), 1e-3)
        self.assertAllClose(y, want, atol=0.05)

    @parameterized.parameters("mixed_float16", "mixed_bfloat16")
    def test_statistics_are_float32_under_every_precision(self, policy):
        layer = self.create(dtype=policy)
        y = layer(300 * self.x, training=True)  # squares overflow float16
        self.assertEqual(y.dtype.name, policy.removeprefix("mixed_"))
        self.assertAllInRange(tf.cast(y, tf.float32), -30, 30)
        self.assertEqual(layer.moving_variance.dtype, tf.float32)

    def test_xla_cannot_compile_it_for_several_replicas(self):
        strategy = two_replicas()
        with strategy.scope():
            layer = self.create()
        compiled = tf.function(
            lambda: layer(tf.constant(self.x), training=True), jit_compile=True
        )
        with self.assertRaisesRegex(ValueError, "train this backbone without"):
            strategy.run(tf.function(lambda: compiled()))


if __name__ == "__main__":
    tf.test.main()
