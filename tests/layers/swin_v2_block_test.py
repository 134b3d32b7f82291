"""Tests for tf_simmim.layers.swin_v2_block.

Attention against NumPy is tested with the backbone, windows with `SwinBlock`.
"""

import numpy as np
import tensorflow as tf

from tf_simmim import layers

B, H, W, D, K = 2, 4, 6, 12, 3


def normed(x, norm):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(
        variance + norm.epsilon
    ) * norm.gamma + norm.beta


class SwinV2BlockTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.normal(size=[B, H, W, D]).astype(np.float32)

    def _block(self, **kwargs):
        block = layers.SwinV2Block(K, window_size=(2, 3), **kwargs)
        block(self.x)
        return block

    def test_norms_come_after_the_branches(self):
        block = self._block()
        block.set_weights(
            [0.4 * self.rng.normal(size=w.shape) for w in block.weights]
        )
        # One window after another, as images of their own.
        windows = self.x.reshape(B, 2, 2, 2, 3, D).swapaxes(2, 3)
        windows = windows.reshape(B * 4, 6, D)
        y = block.attention(windows, block.position_bias(windows)).numpy()
        y = y.reshape(B, 2, 2, 2, 3, D).swapaxes(2, 3).reshape(self.x.shape)
        x = self.x + normed(y, block.attention_norm)
        want = x + normed(block.mlp(x).numpy(), block.mlp_norm)
        self.assertAllClose(block(self.x), want, rtol=1e-4, atol=1e-4)

    def test_begins_as_the_identity(self):
        block = self._block(shifted=True)
        self.assertAllEqual(block(self.x), self.x)
        self.assertAllEqual(block.attention_norm.gamma, np.zeros([D]))
        self.assertAllEqual(block.mlp_norm.gamma, np.zeros([D]))

    def test_weights_do_not_depend_on_the_window(self):
        small, large = self._block(), layers.SwinV2Block(K, window_size=4)
        large(self.x)
        shapes = [w.shape for w in small.weights]
        self.assertEqual([w.shape for w in large.weights], shapes)

    def test_is_made_of_its_parts(self):
        block = self._block()
        self.assertIsInstance(block.attention, layers.ScaledCosineAttention)
        self.assertIsInstance(
            block.position_bias, layers.ContinuousPositionBias
        )
        self.assertEqual(list(block.attention.biases), ["query", "value"])


if __name__ == "__main__":
    tf.test.main()
