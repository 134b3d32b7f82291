"""Tests for tf_simmim.layers.patch_embedding."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import patch_embedding

B, H, W, C, P, D = 2, 8, 12, 3, 4, 5
GRID = (2, 3)


class PatchEmbeddingTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.x = self.rng.normal(size=[B, H, W, C]).astype(np.float32)
        self.layer = patch_embedding.PatchEmbedding(P, D)

    def test_equals_explicit_loops_over_a_non_square_image(self):
        self.layer(self.x)
        self.layer.set_weights(
            [self.rng.normal(size=w.shape) for w in self.layer.weights]
        )
        kernel, bias = self.layer.get_weights()  # [P, P, C, D], [D]

        want = np.zeros([B, GRID[0] * GRID[1], D])
        for b, row, column in np.ndindex(B, *GRID):
            total = bias.copy()
            for i, j, c in np.ndindex(P, P, C):
                pixel = self.x[b, row * P + i, column * P + j, c]
                total += pixel * kernel[i, j, c]
            want[b, row * GRID[1] + column] = total
        self.assertAllClose(self.layer(self.x), want, rtol=1e-4, atol=1e-4)

    def test_kernel_starts_within_its_bound_and_bias_at_zero(self):
        self.layer(self.x)
        kernel, bias = self.layer.get_weights()
        self.assertBetween(np.abs(kernel).max(), 0.018, 0.02)
        self.assertAllEqual(bias, np.zeros([D]))

    def test_gradient_reaches_weights_and_only_the_pixels_of_a_patch(self):
        x = tf.constant(self.x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self.layer(x)
            loss = tf.reduce_sum(y[1, 4])  # row 1, column 1 of the grid
        kernel, bias, image = tape.gradient(
            loss, [*self.layer.trainable_weights, x]
        )
        self.assertGreater(np.abs(kernel).max(), 0)
        self.assertAllEqual(bias, np.ones([D]))
        inside = np.zeros([B, H, W, C], bool)
        inside[1, 4:8, 4:8] = True
        self.assertAllEqual(image.numpy() != 0, inside)

    def test_batch_and_sides_may_be_unknown(self):
        self.layer.build([None, None, None, C])
        spec = tf.TensorSpec([None, None, None, C])
        function = tf.function(self.layer.call, input_signature=[spec])
        self.assertAllClose(function(self.x), self.layer(self.x))

    @parameterized.parameters(
        [[B, H + 1, W, C]], [[B, H, W + 2, C]], [[B, H, W]], [[H, W]]
    )
    def test_images_that_do_not_fit_are_refused(self, shape):
        with self.assertRaisesRegex(
            ValueError, r"multiples of `patch_size` \(4\)"
        ):
            self.layer(tf.zeros(shape))

    def test_an_image_that_does_not_fit_is_refused_after_the_first_one(self):
        self.layer(tf.zeros([2, 8, 12, 3]))
        with self.assertRaisesRegex(ValueError, "`images`"):
            self.layer(tf.zeros([2, 11, 12, 3]))


if __name__ == "__main__":
    tf.test.main()
