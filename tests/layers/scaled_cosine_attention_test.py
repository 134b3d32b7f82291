"""Tests for tf_simmim.layers.scaled_cosine_attention."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import scaled_cosine_attention

B, M, D, K = 2, 5, 12, 3
E = D // K


def attend(layer, x, position_bias):
    """In NumPy, one sample and one head at a time."""
    biases = [np.zeros(D) for _ in range(3)]
    for part, name in ((0, "query"), (2, "value")):
        if name in layer.biases:
            biases[part] = layer.biases[name].numpy()
    qkv = x @ layer.qkv_kernel.numpy() + np.concatenate(biases)
    q, k, v = np.split(qkv, 3, axis=-1)
    y = np.zeros_like(x)
    for b, head in np.ndindex(B, K):
        own = slice(head * E, (head + 1) * E)
        logits = np.zeros([M, M])
        for m, n in np.ndindex(M, M):
            a, c = q[b, m, own], k[b, n, own]
            logits[m, n] = a @ c / np.sqrt(a @ a) / np.sqrt(c @ c)
        scale = min(np.exp(layer.logit_scale.numpy()[head, 0, 0]), 100)
        logits = scale * logits + position_bias[head]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        y[b, :, own] = weights @ v[b, :, own]
    w_o, b_o = (w.numpy() for w in layer.projection.weights)
    return y @ w_o + b_o


class ScaledCosineAttentionTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.normal(size=[B, M, D]).astype(np.float32)
        self.bias = self.rng.normal(size=[K, M, M]).astype(np.float32)

    def _layer(self, **kwargs):
        layer = scaled_cosine_attention.ScaledCosineAttention(K, **kwargs)
        layer(self.x)
        layer.set_weights(
            [0.4 * self.rng.normal(size=w.shape) for w in layer.weights]
        )
        # Of the last head, above the limit: it counts as 100.
        layer.logit_scale.assign(np.log([[[2.0]], [[30.0]], [[500.0]]]))
        return layer

    @parameterized.parameters("query_value", "none")
    def test_equals_numpy(self, qkv_bias):
        layer = self._layer(qkv_bias=qkv_bias)
        got = layer(self.x, position_bias=self.bias)
        want = attend(layer, self.x, self.bias)
        self.assertAllClose(got, want, rtol=1e-4, atol=1e-5)

    def test_scale_begins_at_ten_for_every_head(self):
        layer = scaled_cosine_attention.ScaledCosineAttention(K)
        layer(self.x)
        self.assertAllClose(np.exp(layer.logit_scale), np.full([K, 1, 1], 10.0))

    def test_logits_do_not_depend_on_the_length_of_queries_and_keys(self):
        layer = self._layer(qkv_bias="none")
        before = layer(self.x)
        kernel = layer.qkv_kernel.numpy()
        layer.qkv_kernel.assign(kernel * np.repeat([7.0, 0.2, 1.0], D))
        self.assertAllClose(layer(self.x), before, rtol=1e-4, atol=1e-5)

    def test_gradient_reaches_scales_below_the_limit_alone(self):
        layer = self._layer()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(self.x, position_bias=self.bias) ** 2)
        grad = tape.gradient(loss, layer.logit_scale).numpy().ravel()
        self.assertAllGreater(np.abs(grad[:2]), 1e-4)
        self.assertEqual(grad[2], 0)

    def test_a_token_of_zeros_attends_evenly_and_has_a_gradient(self):
        layer = self._layer(qkv_bias="none")
        x = tf.Variable(np.concatenate([self.x[:, :-1], 0 * self.x[:, :1]], 1))
        with tf.GradientTape() as tape:
            y = layer(x)
        _, _, v = np.split(x.numpy() @ layer.qkv_kernel.numpy(), 3, axis=-1)
        w_o, b_o = (w.numpy() for w in layer.projection.weights)
        self.assertAllClose(y[:, -1], v.mean(1) @ w_o + b_o, 1e-4, 1e-5)
        self.assertAllInRange(tape.gradient(y, x), -1e30, 1e30)

    # The head of scale 100 magnifies the rounding of its cosines.
    @parameterized.parameters(("mixed_bfloat16", 0.2), ("mixed_float16", 0.06))
    def test_low_precision_stays_near_float32(self, policy, atol):
        layer = self._layer()
        low = scaled_cosine_attention.ScaledCosineAttention(K, dtype=policy)
        low(self.x)
        low.set_weights(layer.get_weights())
        got = tf.cast(low(self.x, position_bias=self.bias), tf.float32)
        want = layer(self.x, position_bias=self.bias)
        self.assertAllClose(got, want, rtol=0, atol=atol)


if __name__ == "__main__":
    tf.test.main()
