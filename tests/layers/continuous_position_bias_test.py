"""Tests for tf_simmim.layers.continuous_position_bias."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import continuous_position_bias

B, D, K, WINDOW, M = 2, 4, 3, (2, 3), 6
TOKENS = np.zeros([B, M, D], np.float32)
LOG = {0: 0.0, 0.5: np.log2(5) / 3, 1: np.log2(9) / 3}  # log2(1 + 8d) / 3


def create(window=WINDOW, **kwargs):
    layer = continuous_position_bias.ContinuousPositionBias(window, K, **kwargs)
    layer(np.zeros([B, window[0] * window[1], D], np.float32))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


class ContinuousPositionBiasTest(tf.test.TestCase, parameterized.TestCase):
    def test_offsets_by_hand(self):
        got = continuous_position_bias.log_spaced_offsets(WINDOW)
        columns = [-LOG[1], -LOG[0.5], 0, LOG[0.5], LOG[1]]
        want = [[r, c] for r in (-LOG[1], 0, LOG[1]) for c in columns]
        self.assertAllClose(got, want)

    def test_one_cell_has_an_offset_of_zero(self):
        got = continuous_position_bias.log_spaced_offsets((1, 2))
        self.assertAllClose(got, [[0, -LOG[1]], [0, 0], [0, LOG[1]]])

    def test_bias_of_every_pair_by_numpy(self):
        layer = create()
        w_1, b_1, w_2 = (w.numpy() for w in layer.weights)
        bias = layer(TOKENS)
        self.assertEqual(bias.shape, [K, M, M])
        for m, n in np.ndindex(M, M):
            (r, c), (r2, c2) = divmod(m, 3), divmod(n, 3)
            offset = [
                np.sign(r - r2) * LOG[abs(r - r2)],
                np.sign(c - c2) * LOG[abs(c - c2) / 2],
            ]
            hidden = np.maximum(offset @ w_1 + b_1, 0)
            want = 16 / (1 + np.exp(-hidden @ w_2))
            self.assertAllClose(bias[:, m, n], want, rtol=1e-4, atol=1e-4)

    def test_first_values_are_those_of_the_official_code(self):
        layer = continuous_position_bias.ContinuousPositionBias(WINDOW, K)
        layer(TOKENS)
        self.assertEqual(layer.hidden_kernel.shape, [2, 512])
        self.assertAllEqual(layer.hidden_bias, np.zeros([512]))
        for kernel in (layer.hidden_kernel, layer.output_kernel):
            self.assertAllClose(np.std(kernel), 0.02, rtol=0.15)
        # So the bias is nearly the same everywhere, half of the largest.
        self.assertAllClose(layer(TOKENS), np.full([K, M, M], 8.0), atol=0.5)

    def test_weights_fit_any_window_and_are_stretched_over_it(self):
        small, large = create((3, 3)), create((5, 5))
        large.set_weights(small.get_weights())
        few = small(np.zeros([B, 9, D])).numpy()[:, 0, [0, 2, 6, 8]]
        many = large(np.zeros([B, 25, D])).numpy()[:, 0, [0, 4, 20, 24]]
        self.assertAllClose(few, many, rtol=1e-5)

    def test_gradient_reaches_every_weight(self):
        layer = create()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(TOKENS) ** 2)
        for grad in tape.gradient(loss, layer.trainable_weights):
            self.assertGreater(np.abs(grad).max(), 1e-3)

    def test_low_precision_leaves_the_bias_alone(self):
        layer, low = create(), create(dtype="mixed_bfloat16")
        low.set_weights(layer.get_weights())
        self.assertAllEqual(low(TOKENS), layer(TOKENS))


if __name__ == "__main__":
    tf.test.main()
