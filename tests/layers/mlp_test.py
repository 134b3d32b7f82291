"""Tests for tf_simmim.layers.mlp."""

import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import mlp

B, M, D = 2, 3, 4


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def gelu_tanh(x):
    return x * (1 + np.tanh(math.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


class MLPTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.normal(size=[B, M, D]).astype(np.float32)

    def _with_large_weights(self, **kwargs):
        layer = mlp.MLP(**kwargs)
        layer(self.x)
        layer.set_weights(
            [self.rng.normal(size=w.shape) for w in layer.weights]
        )
        return layer

    def test_equals_numpy_with_the_exact_gelu(self):
        layer = self._with_large_weights(mlp_ratio=2.5)
        w1, b1, w2, b2 = layer.get_weights()
        hidden = gelu(self.x @ w1 + b1)
        want = hidden @ w2 + b2
        self.assertAllClose(layer(self.x), want, rtol=1e-5, atol=1e-5)
        y, tapped = layer(self.x, taps=mlp.TAPS)
        self.assertAllEqual(y, layer(self.x))
        self.assertAllClose(tapped["mlp_hidden"], hidden, 1e-5, 1e-5)

        tanh = gelu_tanh(self.x @ w1 + b1) @ w2 + b2
        self.assertGreater(np.abs(tanh - want).max(), 1e-4)

    @parameterized.parameters((4.0, 16), (2.5, 10))
    def test_mlp_ratio_sets_the_hidden_width(self, mlp_ratio, width):
        layer = mlp.MLP(mlp_ratio)
        layer(self.x)
        shapes = [tuple(w.shape) for w in layer.weights]
        self.assertEqual(shapes, [(D, width), (width,), (width, D), (D,)])

    def test_hidden_dim_sets_it_whatever_the_ratio(self):
        layer = mlp.MLP(2.5, hidden_dim=7)
        layer(self.x)
        self.assertEqual(layer.expand.kernel.shape, [D, 7])
        self.assertEqual(layer.project.kernel.shape, [7, D])

    def test_output_stddev_bounds_the_second_kernel_alone(self):
        layer = mlp.MLP(output_stddev=0.5)
        layer(tf.zeros([B, M, 32]))
        w1, b1, w2, b2 = layer.get_weights()
        self.assertBetween(np.abs(w1).max(), 0.019, 0.02)
        self.assertBetween(np.abs(w2).max(), 0.45, 0.5)
        self.assertAllEqual(b1, np.zeros_like(b1))
        self.assertAllEqual(b2, np.zeros_like(b2))

    def test_gradient_reaches_every_weight(self):
        layer = self._with_large_weights()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(self.x) * self.x)
        for grad in tape.gradient(loss, layer.trainable_weights):
            self.assertGreater(np.abs(grad).max(), 0)


if __name__ == "__main__":
    tf.test.main()
