"""Tests for tf_simmim.layers.layer_scale."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import layer_scale

B, M, D = 2, 3, 5


class LayerScaleTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        x = np.arange(B * M * D, dtype=np.float32).reshape(B, M, D)
        self.x = tf.constant(x)

    @parameterized.parameters(({}, 0.1), ({"initial_value": 1e-5}, 1e-5))
    def test_every_channel_starts_at_the_initial_value(self, kwargs, value):
        layer = layer_scale.LayerScale(**kwargs)
        self.assertAllClose(layer(self.x), value * self.x.numpy())
        self.assertAllClose(layer.gamma, np.full([D], value))

    def test_each_channel_has_its_own_factor(self):
        layer = layer_scale.LayerScale()
        layer.build([B, M, D])
        gamma = np.array([3, -1, 0, 2, 5], np.float32)
        layer.gamma.assign(gamma)
        self.assertAllClose(layer(self.x), self.x * gamma)

    def test_gradient_of_a_factor_sums_its_channel(self):
        layer = layer_scale.LayerScale()
        with tf.GradientTape() as tape:
            y = layer(self.x)
        grad = tape.gradient(y, layer.gamma)
        self.assertAllClose(grad, np.sum(self.x, axis=(0, 1)))


if __name__ == "__main__":
    tf.test.main()
