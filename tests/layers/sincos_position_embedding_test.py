"""Tests for tf_simmim.layers.sincos_position_embedding."""

import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import sincos_position_embedding

B, D, GRID = 2, 8, (2, 3)


def table():
    """The formula, number by number, for D = 8: two frequencies."""
    rows = []
    for row in range(2):
        for column in range(3):
            rows.append(
                [
                    math.sin(column),
                    math.sin(column / 100),  # 10000^(1/2)
                    math.cos(column),
                    math.cos(column / 100),
                    math.sin(row),
                    math.sin(row / 100),
                    math.cos(row),
                    math.cos(row / 100),
                ]
            )
    return np.array(rows)


class SinCosPositionEmbeddingTest(tf.test.TestCase, parameterized.TestCase):
    def test_table_follows_the_formula_columns_first(self):
        got = sincos_position_embedding.sincos_table(GRID, D)
        self.assertAllClose(got, table())
        self.assertEqual(got.dtype, np.float32)

    def test_every_sample_gets_the_table_added(self):
        x = np.arange(B * 6 * D, dtype=np.float32).reshape(B, 6, D)
        layer = sincos_position_embedding.SinCosPositionEmbedding(GRID)
        self.assertAllClose(layer(x), x + table())
        self.assertEmpty(layer.weights)

    def test_every_position_is_different(self):
        rows = sincos_position_embedding.sincos_table((5, 7), 12)
        self.assertLen(np.unique(rows.round(5), axis=0), 35)

    def test_gradient_passes_unchanged(self):
        x = tf.zeros([B, 6, D])
        layer = sincos_position_embedding.SinCosPositionEmbedding(GRID)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        self.assertAllEqual(tape.gradient(y, x), tf.ones_like(x))


if __name__ == "__main__":
    tf.test.main()
