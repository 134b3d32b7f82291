"""Tests for tf_simmim.layers.mask_token."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import mask_token

B, N, D = 2, 3, 5


class MaskTokenTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        x = np.arange(B * N * D, dtype=np.float32).reshape(B, N, D)
        self.x = tf.constant(x)
        self.mask = tf.constant([[1, 0, 0], [0, 1, 1]])

    @parameterized.parameters(tf.int32, tf.bool, tf.float32)
    def test_hidden_rows_become_the_token_and_visible_rows_stay(self, dtype):
        layer = mask_token.MaskToken()
        y = layer(self.x, patch_mask=tf.cast(self.mask, dtype))
        token = layer.get_weights()[0][0, 0]  # [D]

        want = self.x.numpy().copy()
        want[0, 0] = want[1, 1] = want[1, 2] = token
        self.assertAllEqual(y, want)

    def test_hidden_patches_feed_the_token_and_visible_ones_the_inputs(self):
        layer = mask_token.MaskToken()
        with tf.GradientTape() as tape:
            tape.watch(self.x)
            y = layer(self.x, patch_mask=self.mask)
        token, x = tape.gradient(y, [layer.mask_token, self.x])
        self.assertAllEqual(token, np.full([1, 1, D], 3.0))  # 3 hidden patches
        visible = 1.0 - tf.cast(self.mask, tf.float32)
        self.assertAllEqual(x, np.repeat(visible[..., None], D, axis=-1))

    def test_a_hidden_patch_that_is_not_finite_does_no_harm(self):
        layer = mask_token.MaskToken()
        x = self.x.numpy()
        x[0, 0] = np.nan
        self.assertAllEqual(
            layer(x, patch_mask=self.mask), layer(self.x, patch_mask=self.mask)
        )

    @parameterized.parameters(0.02, 3.0)
    def test_stddev_sets_the_bound_of_the_first_token(self, stddev):
        layer = mask_token.MaskToken(stddev)
        layer(tf.zeros([B, N, 400]), patch_mask=self.mask)
        largest = np.abs(layer.get_weights()[0]).max()
        self.assertBetween(largest, 0.9 * stddev, stddev)

    def test_mask_of_another_grid_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`patch_mask`"):
            mask_token.MaskToken()(self.x, patch_mask=tf.ones([B, N + 1]))


if __name__ == "__main__":
    tf.test.main()
