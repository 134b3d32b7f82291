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

    @parameterized.parameters(
        {"num_tokens": 0}, {"num_first": -1}, {"stddev": 0.0}
    )
    def test_impossible_numbers_are_refused(self, **options):
        with self.assertRaisesRegex(ValueError, "`num_tokens` and `stddev`"):
            register_tokens.RegisterTokens(**{"num_tokens": R, **options})

    def test_what_is_no_sequence_of_tokens_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`tokens` must be"):
            register_tokens.RegisterTokens(R)(tf.zeros([B, 2, 2, D]))


if __name__ == "__main__":
    tf.test.main()
