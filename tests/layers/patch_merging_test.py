"""Tests for tf_simmim.layers.patch_merging."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import patch_merging

B, H, W, D = 2, 4, 6, 3


def normed(x):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


class PatchMergingTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=[B, H, W, D]).astype(np.float32)

    @parameterized.parameters(False, True)
    def test_values_by_numpy(self, norm_last):
        layer = patch_merging.PatchMerging(norm_last=norm_last)
        y = layer(self.x)
        self.assertEqual(y.shape, [B, H // 2, W // 2, 2 * D])
        joined = np.concatenate(
            [
                self.x[:, 0::2, 0::2],
                self.x[:, 1::2, 0::2],
                self.x[:, 0::2, 1::2],
                self.x[:, 1::2, 1::2],
            ],
            axis=-1,
        )
        kernel = layer.reduction.kernel.numpy()
        want = normed(joined) @ kernel
        if norm_last:
            want = normed(joined @ kernel)
        self.assertAllClose(y, want, rtol=1e-4, atol=1e-5)
        self.assertEqual(layer.norm.gamma.shape, [6 if norm_last else 12])
        self.assertLen(layer.weights, 3)  # no bias

    def test_epsilon_matters(self):
        small = patch_merging.PatchMerging(epsilon=1.0)
        y = small(self.x)
        other = patch_merging.PatchMerging()
        other(self.x)
        other.set_weights(small.get_weights())
        self.assertNotAllClose(other(self.x), y)


if __name__ == "__main__":
    tf.test.main()
