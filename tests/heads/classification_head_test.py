"""Tests for tf_simmim.heads.classification_head.

Save/load, replicas and XLA are covered for every layer in tests/conformance.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import heads

B, H, W, D, L = 2, 3, 4, 5, 7


class ClassificationHeadTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.features = rng.normal(size=[B, H, W, D]).astype(np.float32)

    @parameterized.parameters(False, True)
    def test_it_is_the_mean_the_norm_and_a_linear_layer(self, normalize):
        head = heads.ClassificationHead(
            L, normalize=normalize, stddev=1.0, epsilon=0.1
        )
        logits = head(self.features)
        rng = np.random.default_rng(1)
        for weight in head.weights:
            weight.assign(rng.normal(size=weight.shape))
        logits = head(self.features)

        want = self.features.mean(axis=(1, 2))
        if normalize:
            variance = want.var(axis=-1, keepdims=True)
            want = (want - want.mean(-1, keepdims=True)) / np.sqrt(
                variance + 0.1
            )
            want = want * head.norm.gamma + head.norm.beta
        self.assertAllClose(head.pool(self.features), want, atol=1e-5)
        kernel, bias = head.linear.kernel.numpy(), head.linear.bias.numpy()
        self.assertAllClose(logits, want @ kernel + bias, atol=1e-5)
        self.assertEqual(logits.shape, [B, L])

    def test_kernels_begin_with_the_spread_asked_for_and_biases_at_zero(self):
        tf.keras.utils.set_random_seed(3)
        for stddev in (0.02, 2e-5):
            head = heads.ClassificationHead(40, stddev=stddev)
            head(tf.zeros([1, 1, 1, 50]))
            self.assertAllClose(
                np.std(head.linear.kernel), stddev, rtol=0.1, atol=0
            )
            self.assertAllEqual(head.linear.bias, np.zeros(40))

    @parameterized.parameters("mixed_float16", "mixed_bfloat16")
    def test_it_computes_in_float32_whatever_comes(self, policy):
        head = heads.ClassificationHead(L, normalize=True, dtype=policy)
        # The sum of a map overflows float16, and loses half of bfloat16.
        features = tf.fill([B, 16, 16, D], 60000.0)
        features += tf.reshape(tf.range(D, dtype=tf.float32), [1, 1, 1, D])
        compute = tf.as_dtype(policy.removeprefix("mixed_"))
        features = tf.cast(features, compute)
        want = np.mean(features.numpy().astype(np.float64), axis=(1, 2))
        unnormalized = heads.ClassificationHead(L, dtype=policy)
        self.assertAllClose(unnormalized.pool(features), want, rtol=1e-6)
        self.assertEqual(head(features).dtype, tf.float32)
        for weight in head.weights:
            self.assertEqual(weight.dtype, tf.float32)

    def test_tokens_are_not_pooled_as_a_map(self):
        with self.assertRaisesRegex(ValueError, r"Received shape: \(2, 5\)"):
            heads.ClassificationHead(L).pool(tf.zeros([B, D]))


if __name__ == "__main__":
    tf.test.main()
