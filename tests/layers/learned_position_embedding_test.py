"""Tests for tf_simmim.layers.learned_position_embedding."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import learned_position_embedding

B, M, D = 2, 3, 5


class LearnedPositionEmbeddingTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        x = np.arange(B * M * D, dtype=np.float32).reshape(B, M, D)
        self.x = tf.constant(x)
        self.layer = learned_position_embedding.LearnedPositionEmbedding()

    def test_each_position_adds_its_own_vector_to_every_sample(self):
        self.layer.build([B, M, D])
        table = 100.0 * np.arange(M * D, dtype=np.float32).reshape(1, M, D)
        self.layer.position_embedding.assign(table)
        self.assertAllEqual(self.layer(self.x), self.x + table)

    def test_every_sample_feeds_the_gradient(self):
        with tf.GradientTape() as tape:
            y = self.layer(self.x)
            loss = tf.reduce_sum(y * self.x)
        grad = tape.gradient(loss, self.layer.position_embedding)
        self.assertAllEqual(grad[0], np.sum(self.x, axis=0))

    @parameterized.parameters(0.02, 3.0)
    def test_stddev_sets_the_bound_of_the_first_vectors(self, stddev):
        layer = learned_position_embedding.LearnedPositionEmbedding(stddev)
        layer(tf.zeros([B, 20, 30]))
        largest = np.abs(layer.get_weights()[0]).max()
        self.assertBetween(largest, 0.9 * stddev, stddev)


if __name__ == "__main__":
    tf.test.main()
