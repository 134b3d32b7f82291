"""Tests for tf_simmim.layers.swin_block.

Parity with the reference, shifted and not, is in tests/golden.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.layers import swin_block

B, D, K = 2, 12, 3


def feature_map(h, w, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=[B, h, w, D]).astype(np.float32)


def create(h, w, **kwargs):
    tf.keras.utils.set_random_seed(0)
    block = swin_block.SwinBlock(K, **kwargs)
    block(feature_map(h, w))
    return block


def reached(block, h, w, row, column):
    """Returns bool [h, w]: which inputs the output at a cell depends on."""
    x = tf.constant(feature_map(h, w))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(block(x)[:, row, column] ** 2)
    return (tf.abs(tape.gradient(y, x)).numpy() > 0).any((0, 3))


class SwinBlockTest(tf.test.TestCase, parameterized.TestCase):
    def test_a_cell_sees_its_window(self):
        want = np.zeros([4, 6], bool)
        want[2:, 3:] = True
        block = create(4, 6, window_size=(2, 3))
        np.testing.assert_array_equal(reached(block, 4, 6, 3, 4), want)

    def test_shifted_windows_do_not_reach_across_the_border(self):
        block = create(4, 6, window_size=(2, 3), shifted=True)
        self.assertEqual(block.shift, (1, 1))
        middle = np.zeros([4, 6], bool)
        middle[1:3, 1:4] = True
        np.testing.assert_array_equal(reached(block, 4, 6, 2, 2), middle)
        corner = np.zeros([4, 6], bool)
        corner[0, 0] = True  # its window holds three other corners as well
        np.testing.assert_array_equal(reached(block, 4, 6, 0, 0), corner)

    @parameterized.parameters(False, True)
    def test_padding_changes_nothing(self, shifted):
        """A padded map equals the corner of a whole one with nothing else."""
        padded = create(3, 5, window_size=4, shifted=shifted)
        x = feature_map(3, 5)
        y = padded(x)
        self.assertTrue(np.isfinite(y).all())
        for row, column in ((0, 0), (2, 4)):
            seen = reached(padded, 3, 5, row, column)
            self.assertTrue(seen[row, column])
        # Cells are compared with attention over real cells alone.
        shift = padded.shift
        for top, bottom in _cuts(3, padded.window[0], shift[0]):
            for left, right in _cuts(5, padded.window[1], shift[1]):
                alone = swin_block.SwinBlock(K, window_size=4)
                part = x[:, top:bottom, left:right]
                alone(part)
                weights = padded.get_weights()
                table = padded.position_bias.table.numpy()
                cut = _cut_table(
                    table, padded.window, (bottom - top, right - left)
                )
                alone.set_weights(
                    [cut if w.shape == table.shape else w for w in weights]
                )
                self.assertAllClose(
                    y[:, top:bottom, left:right], alone(part), 1e-5, 1e-5
                )

    def test_a_window_larger_than_the_map_is_cut_and_not_shifted(self):
        block = create(2, 6, window_size=3, shifted=True)
        self.assertEqual(block.window, (2, 3))
        self.assertEqual(block.shift, (0, 1))
        self.assertEqual(
            block.position_bias.table.shape, [(2 * 2 - 1) * (2 * 3 - 1), K]
        )

    def test_bias_table_is_part_of_the_attention(self):
        block = create(4, 6, window_size=(2, 3))
        before = block(feature_map(4, 6))
        table = block.position_bias.table
        table.assign(np.random.default_rng(3).normal(size=table.shape))
        self.assertNotAllClose(block(feature_map(4, 6)), before)

    def test_drop_path_leaves_out_branches_in_training_alone(self):
        block = create(4, 6, window_size=2, drop_path=0.5)
        x = feature_map(4, 6)
        seeds = [tf.constant([n, 0], tf.int64) for n in range(6)]
        trained = [block(x, seed=s, training=True).numpy() for s in seeds]
        self.assertGreater(len({y.tobytes() for y in trained}), 1)
        np.testing.assert_array_equal(
            block(x, seed=seeds[0], training=False),
            block(x, seed=seeds[1], training=False),
        )

    def test_queries_need_one_window(self):
        self.assertTrue(create(2, 3, window_size=3, shifted=True).covers_map)
        block = create(2, 3, window_size=(2, 2))
        self.assertFalse(block.covers_map)
        with self.assertRaisesRegex(ValueError, "`queries`"):
            block(feature_map(2, 3), queries=np.zeros([B, 2], np.int32))


def _cuts(side, window, shift):
    """Returns the (first, last) cells of each window along one axis."""
    borders = [0, *range(shift or window, side, window), side]
    return list(zip(borders[:-1], borders[1:], strict=True))


def _cut_table(table, window, size):
    """Returns the rows of a bias table that a smaller window uses."""
    rows, columns = 2 * window[0] - 1, 2 * window[1] - 1
    table = table.reshape(rows, columns, K)
    top, left = window[0] - size[0], window[1] - size[1]
    return table[top : rows - top, left : columns - left].reshape(-1, K)


if __name__ == "__main__":
    tf.test.main()
