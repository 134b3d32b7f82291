"""Tests for tf_simmim.layers.register_tokens."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import register_tokens

B, M, R, D = 2, 4, 3, 5


class RegisterTokensTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(0, 1, 4)
    def test_registers_come_behind_the_first_tokens(self, num_first):
        layer = register_tokens.RegisterTokens(R, num_first, stddev=0.5)
        x = np.arange(B * M * D, dtype=np.float32).reshape(B, M, D)
        y = layer(x)
        registers = np.tile(layer.register_tokens.numpy(), [B, 1, 1])
        want = [x[:, :num_first], registers, x[:, num_first:]]
        self.assertAllEqual(y, np.concatenate(want, axis=1))

    def test_initial_registers_are_small_and_differ(self):
        layer = register_tokens.RegisterTokens(R)
        layer(tf.zeros([B, M, 300]))
        registers = layer.register_tokens.numpy()
        self.assertBetween(np.abs(registers).max(), 0.9e-6, 1e-6)
        self.assertNotAllClose(registers[:, 0], registers[:, 1], atol=1e-9)


if __name__ == "__main__":
    tf.test.main()
