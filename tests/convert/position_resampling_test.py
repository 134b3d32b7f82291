"""Tests for tf_simmim.convert.position_resampling."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.convert import position_resampling

GOLDEN = (
    pathlib.Path(__file__).parents[1]
    / "golden"
    / "relative_position_bias_interpolation.npz"
)
K = 3


def smooth_table(window):
    """Biases that fall with the distance, other on each side and head."""
    rows, columns = (np.arange(1.0 - side, side) for side in window)
    rows, columns = rows[:, None] / window[0], columns / window[1]
    distance = rows**2 + 0.5 * columns**2 + 0.3 * rows - 0.2 * columns
    heads = np.array([1.0, -2.0, 0.5])
    return (distance[..., None] * heads).reshape(-1, K).astype(np.float32)


def resample(table, source, target, *args):
    return position_resampling.resample_relative_position_bias(
        table, source, target, *args
    )


class RelativePositionBiasTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((6, 7), (6, 12), (12, 14), (7, 14))
    def test_larger_windows_equal_the_reference(self, source, target):
        with np.load(GOLDEN) as golden:
            case = f"window_{source}_to_{target}"
            table, want, positions = (
                golden[f"{case}/{name}"]
                for name in ("source", "target", "positions")
            )
        windows = (source, source), (target, target)
        got = position_resampling.offset_positions(
            source, target, "geometric_crop"
        )
        self.assertAllClose(got, positions, rtol=0, atol=1e-9)
        got = resample(table, *windows, "geometric_crop")
        self.assertAllClose(got, want, rtol=0, atol=1e-6)
        # The exact ratio; the reference's is within 1e-6 of it, which moves
        # positions by 6e-5, and these tables are noise: 1.9e-4 measured.
        got = resample(table, *windows)
        self.assertAllClose(got, want, rtol=0, atol=3e-4)
        self.assertEqual(got.dtype, np.float32)

    @parameterized.parameters(
        ((5, 4), (7, 3)), ((2, 6), (6, 8)), ((1, 3), (4, 4))
    )
    def test_degree_1_gives_averages_of_neighbours(self, source, target):
        rng = np.random.default_rng(0)
        shape = [(2 * source[0] - 1) * (2 * source[1] - 1) + 3, K]
        table = rng.gamma(0.3, size=shape).astype(np.float32)
        got = position_resampling.resample_relative_position_bias(
            table, source, target, degree=1
        )
        self.assertAllInRange(got, table.min(), table.max())
        # Linear, and exact for constants.
        squares = position_resampling.resample_relative_position_bias(
            table**2, source, target, degree=1
        )
        self.assertTrue((got**2 <= squares * (1 + 1e-5)).all())
        positions = rng.gamma(0.3, size=[1, 1 + 6 * 5, 4]).astype(np.float32)
        got = position_resampling.resample_position_embedding(
            positions, (6, 5), (8, 4), degree=1
        )
        self.assertEqual(got.shape, (1, 33, 4))
        self.assertAllInRange(got, positions.min(), positions.max())
        self.assertAllEqual(got[0, 0], positions[0, 0])

    def test_positions_by_hand(self):
        positions = position_resampling.offset_positions
        # 1 + r + r^2 = 7 for r = 2.
        self.assertAllClose(
            positions(4, 8, "geometric"), [-7, -3, -1, 0, 1, 3, 7]
        )
        # 1 + r = 3 for r = 2; the reference stops at r = 1.5.
        self.assertAllClose(positions(3, 4, "geometric"), [-3, -1, 0, 1, 3])
        self.assertAllClose(
            positions(3, 4, "geometric_crop"), [-2.5, -1, 0, 1, 2.5], 1e-5
        )
        # Smaller: 1 + r + r^2 + r^3 = 2 for r = 0.5437.
        self.assertAllClose(
            positions(5, 3, "geometric")[5:], [1, 1.5437, 1.8393, 2], 1e-4
        )
        # Less than 3 cells.
        self.assertAllClose(positions(4, 2, "geometric")[4:], [1 / 3, 2 / 3, 1])
        self.assertAllClose(positions(2, 5, "geometric"), [-4, 0, 4])

    @parameterized.parameters(
        ((12, 12), (7, 7)), ((6, 9), (4, 5)), ((5, 5), (2, 2))
    )
    def test_smaller_windows_keep_the_largest_offsets(self, source, target):
        table = smooth_table(source)
        corners = np.ix_([0, -1], [0, -1])
        before, after = (
            t.reshape(2 * window[0] - 1, 2 * window[1] - 1, K)[corners]
            for t, window in (
                (table, source),
                (resample(table, source, target), target),
            )
        )
        self.assertAllClose(after, before, rtol=0, atol=1e-6)

    def test_the_reference_crops_smaller_windows(self):
        """Its offsets keep their distance, nearly: the ratio is 1.01."""
        source = np.repeat(np.arange(-11.0, 12.0), 23).reshape(-1, 1)
        got = resample(source, (12, 12), (7, 7), "geometric_crop")
        rows = got.reshape(13, 13)[:, 6]
        self.assertAllClose(rows, np.arange(-6, 7), atol=0.2)
        whole = resample(source, (12, 12), (7, 7)).reshape(13, 13)[:, 6]
        self.assertAllClose(whole[[0, 6, 12]], [-11, 0, 11], atol=1e-6)

    def test_growing_and_shrinking_again_returns_almost_the_same(self):
        table = smooth_table((6, 7))
        grown = resample(table, (6, 7), (12, 10))
        back = resample(grown, (12, 10), (6, 7))
        # 5.5 % measured.
        error = np.abs(back - table).max() / np.abs(table).max()
        self.assertLess(error, 0.08)

    def test_axes_are_resampled_on_their_own(self):
        rows = resample(smooth_table((4, 5)), (4, 5), (6, 5))
        both = resample(rows, (6, 5), (6, 3))
        want = resample(smooth_table((4, 5)), (4, 5), (6, 3))
        self.assertEqual(want.shape, (11 * 5, K))
        self.assertAllClose(both, want, atol=1e-6)
        # One axis of another is untouched by the other's change.
        centre = rows.reshape(11, 9, K)[5]
        self.assertAllClose(centre, smooth_table((4, 5)).reshape(7, 9, K)[3])

    def test_transposed_windows_give_transposed_tables(self):
        table = smooth_table((4, 5)).reshape(7, 9, K)
        got = resample(
            table.swapaxes(0, 1).reshape(-1, K), (5, 4), (3, 6)
        ).reshape(5, 11, K)
        want = resample(table.reshape(-1, K), (4, 5), (6, 3))
        self.assertAllClose(
            got, want.reshape(11, 5, K).swapaxes(0, 1), atol=1e-6
        )

    def test_rows_of_the_class_token_stay(self):
        table = np.concatenate([smooth_table((4, 5)), np.full([3, K], 7.0)])
        got = resample(table, (4, 5), (3, 6))
        self.assertEqual(got.shape, (5 * 11 + 3, K))
        self.assertAllEqual(got[-3:], np.full([3, K], 7.0))
        self.assertAllClose(
            got[:-3], resample(smooth_table((4, 5)), (4, 5), (3, 6))
        )

    def test_the_same_window_changes_nothing(self):
        table = smooth_table((4, 5))
        for method in position_resampling.METHODS:
            self.assertAllEqual(resample(table, (4, 5), (4, 5), method), table)

    def test_one_cell_knows_one_bias(self):
        got = resample([[1.0, 2.0, 3.0]], (1, 1), (2, 3))
        self.assertAllEqual(got, np.tile([1.0, 2.0, 3.0], [15, 1]))
        got = resample(smooth_table((4, 5)), (4, 5), (1, 1))
        middle = smooth_table((4, 5))[31:32]
        self.assertAllClose(got, middle)

    def test_another_table_or_method_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"\[63, num_heads\].*\(64, 3"):
            resample(np.zeros([64, K]), (4, 5), (3, 6))
        with self.assertRaisesRegex(ValueError, "`method` must be one of.*'no"):
            resample(smooth_table((4, 5)), (4, 5), (3, 6), "no")


class PositionEmbeddingTest(tf.test.TestCase):
    def test_positions_are_resized_and_the_class_token_stays(self):
        grid = np.mgrid[:4, :6].transpose(1, 2, 0).reshape(1, 24, 2)
        embedding = np.concatenate([[[[9.0, 8.0]]], grid], 1).astype(np.float32)
        got = position_resampling.resample_position_embedding(
            embedding, (4, 6), (8, 9)
        )
        self.assertEqual(got.shape, (1, 73, 2))
        self.assertAllEqual(got[0, 0], [9, 8])
        rows, columns = got[0, 1:].reshape(8, 9, 2).transpose(2, 0, 1)
        # Away from the border a bicubic keeps straight lines.
        self.assertAllClose(rows[3:5, 4], [1.25, 1.75], atol=1e-5)
        self.assertAllClose(columns[4, 3:6], [11 / 6, 2.5, 19 / 6], atol=1e-5)

    def test_positions_of_another_grid_are_refused(self):
        with self.assertRaisesRegex(ValueError, r"\[1, 24, embed_dim\]"):
            position_resampling.resample_position_embedding(
                np.zeros([1, 26, 2]), (4, 6), (8, 9)
            )


if __name__ == "__main__":
    tf.test.main()
