"""Tests for tf_simmim.heads.prediction_head."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.heads import prediction_head

B, H, W, D, S, C = 2, 2, 3, 5, 4, 3


class PredictionHeadTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.normal(size=[B, H, W, D]).astype(np.float32)

    def test_depth_to_space_puts_each_output_on_its_pixel(self):
        head = prediction_head.PredictionHead(S, C)
        image = tf.nn.depth_to_space(head(self.x), S)
        kernel, bias = head.get_weights()

        want = np.zeros([B, H * S, W * S, C])
        for row, column, i, j, channel in np.ndindex(H, W, S, S, C):
            output = (i * S + j) * C + channel
            value = self.x[:, row, column] @ kernel[:, output] + bias[output]
            want[:, row * S + i, column * S + j, channel] = value
        self.assertAllClose(image, want, atol=1e-5)

    def test_first_weights_are_uniform_in_the_reference_bound(self):
        features = 64
        head = prediction_head.PredictionHead(16, 3)
        head(tf.zeros([B, H, W, features]))
        limit = features**-0.5
        for weight in head.get_weights():
            self.assertLessEqual(np.abs(weight).max(), limit)
            self.assertGreater(np.abs(weight).max(), 0.99 * limit)
            spread = limit / np.sqrt(3)  # of a uniform distribution
            self.assertAllClose(weight.std(), spread, rtol=0.1)

    @parameterized.parameters((4, 3, 48), (2, 3, 12), (4, 2, 32), (3, 1, 9))
    def test_stride_and_channels_set_the_width(self, stride, channels, width):
        head = prediction_head.PredictionHead(stride, channels)
        self.assertEqual(head(self.x).shape, [B, H, W, width])

    @parameterized.parameters("mixed_float16", "mixed_bfloat16", "float32")
    def test_output_is_float32_under_every_precision(self, policy):
        head = prediction_head.PredictionHead(S, C, dtype=policy)
        self.assertEqual(head(self.x).dtype, tf.float32)

    def test_gradient_reaches_kernel_bias_and_features(self):
        head = prediction_head.PredictionHead(S, C)
        x = tf.constant(self.x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = head(x)
        kernel, bias, features = tape.gradient(y, [*head.trainable_weights, x])
        sums = self.x.sum(axis=(0, 1, 2))
        want = np.repeat(sums[:, None], S * S * C, axis=1)
        self.assertAllClose(kernel, want, atol=1e-5)
        self.assertAllEqual(bias, np.full([S * S * C], B * H * W))
        self.assertGreater(np.abs(features).min(), 0)


if __name__ == "__main__":
    tf.test.main()
