"""Tests for tf_simmim.layers.relative_position_bias."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import relative_position_bias

B, K, D, GRID = 2, 3, 4, (2, 3)
# Rows of the table for the patches (0, 0), (0, 1), (0, 2), (1, 0), (1, 1),
# (1, 2): (row offset + 1) * 5 + (column offset + 2).
INDEX = np.array(
    [
        [7, 6, 5, 2, 1, 0],
        [8, 7, 6, 3, 2, 1],
        [9, 8, 7, 4, 3, 2],
        [12, 11, 10, 7, 6, 5],
        [13, 12, 11, 8, 7, 6],
        [14, 13, 12, 9, 8, 7],
    ]
)
INDEX_WITH_CLASS = np.array(
    [
        [17, 15, 15, 15, 15, 15, 15],
        [16, 7, 6, 5, 2, 1, 0],
        [16, 8, 7, 6, 3, 2, 1],
        [16, 9, 8, 7, 4, 3, 2],
        [16, 12, 11, 10, 7, 6, 5],
        [16, 13, 12, 11, 8, 7, 6],
        [16, 14, 13, 12, 9, 8, 7],
    ]
)
CASES = ((False, INDEX, 15), (True, INDEX_WITH_CLASS, 18))


class RelativePositionBiasTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(*CASES)
    def test_index_equals_the_hand_written_one(self, class_token, want, _):
        index = relative_position_bias.relative_position_index(
            GRID, class_token
        )
        self.assertAllEqual(index, want)

    def test_index_is_large_enough_for_one_patch(self):
        index = relative_position_bias.relative_position_index((1, 1), True)
        self.assertAllEqual(index, [[3, 1], [2, 0]])

    @parameterized.parameters(*CASES)
    def test_bias_gathers_a_row_of_the_table_per_pair(
        self, class_token, index, num_rows
    ):
        layer = relative_position_bias.RelativePositionBias(
            GRID, K, class_token
        )
        tokens = tf.zeros([B, len(index), D])
        layer(tokens)
        self.assertEqual(layer.table.shape, [num_rows, K])

        table = np.arange(num_rows * K, dtype=np.float32).reshape(num_rows, K)
        layer.table.assign(table)
        bias = layer(tokens)
        self.assertEqual(bias.shape, [K, len(index), len(index)])
        for head in range(K):
            self.assertAllEqual(bias[head], table[index, head])

    def test_starts_at_zero(self):
        layer = relative_position_bias.RelativePositionBias(GRID, K)
        self.assertAllEqual(layer(tf.zeros([B, 7, D])), np.zeros([K, 7, 7]))

    def test_gradient_is_dense_so_that_its_norm_is_right(self):
        layer = relative_position_bias.RelativePositionBias(GRID, K)
        layer.build([B, 7, D])
        with tf.GradientTape() as tape:
            bias = layer(tf.zeros([B, 7, D]))
        grad = tape.gradient(bias, layer.table)
        self.assertNotIsInstance(grad, tf.IndexedSlices)

        uses = np.bincount(INDEX_WITH_CLASS.ravel(), minlength=18)
        self.assertAllEqual(grad, np.repeat(uses[:, None], K, axis=1))
        norm = np.sqrt(K * np.sum(uses**2))
        self.assertAllClose(tf.linalg.global_norm([grad]), norm)


if __name__ == "__main__":
    tf.test.main()
