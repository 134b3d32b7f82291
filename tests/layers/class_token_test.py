"""Tests for tf_simmim.layers.class_token."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import class_token

B, N, D = 2, 3, 5


class ClassTokenTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        x = np.arange(B * N * D, dtype=np.float32).reshape(B, N, D)
        self.x = tf.constant(x)

    def test_token_comes_first_and_patches_follow_in_order(self):
        layer = class_token.ClassToken()
        y = layer(self.x)
        token = layer.get_weights()[0]  # [1, 1, D]

        want = np.concatenate([np.repeat(token, B, axis=0), self.x], axis=1)
        self.assertAllEqual(y, want)

    def test_every_sample_feeds_the_token_gradient(self):
        layer = class_token.ClassToken()
        with tf.GradientTape() as tape:
            tape.watch(self.x)
            y = layer(self.x)
            loss = tf.reduce_sum(y[:, 0] * tf.range(1.0, D + 1))
        token, x = tape.gradient(loss, [layer.class_token, self.x])
        self.assertAllEqual(token[0, 0], B * np.arange(1, D + 1))
        self.assertAllEqual(x, np.zeros([B, N, D]))

    def test_batch_size_may_be_unknown(self):
        layer = class_token.ClassToken()
        layer.build([None, N, D])
        spec = tf.TensorSpec([None, N, D])
        function = tf.function(layer.call, input_signature=[spec])
        self.assertAllEqual(function(self.x), layer(self.x))
        shape = function.get_concrete_function().output_shapes
        self.assertEqual(shape.as_list(), [None, N + 1, D])

    def test_stddev_sets_the_bound_of_the_first_token(self):
        narrow, wide = class_token.ClassToken(), class_token.ClassToken(3.0)
        x = tf.zeros([B, N, 200])
        narrow(x)
        wide(x)
        narrow_max = np.abs(narrow.get_weights()[0]).max()
        wide_max = np.abs(wide.get_weights()[0]).max()
        self.assertBetween(narrow_max, 0.01, 0.02)
        self.assertBetween(wide_max, 1.5, 3.0)


if __name__ == "__main__":
    tf.test.main()
