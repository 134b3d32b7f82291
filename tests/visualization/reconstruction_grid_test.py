"""Tests for tf_simmim.visualization.reconstruction_grid."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tf_simmim import data
from tf_simmim import visualization

B, H, W, C = 2, 20, 30, 3
PATCH_SIZE = 10
MASK = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]]])
SCALE = 3  # smallest whole factor that makes 20 px at least 50 px
GAP = 4
HIDDEN_COLOUR = (128, 140, 165)
BLACK, YELLOW = (0, 0, 4), (252, 255, 164)  # the ends of the heat colours


class ReconstructionGridTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        generator = np.random.default_rng(1)
        self.pixels, self.predicted = generator.integers(
            0, 256, size=[2, B, H, W, C], dtype=np.uint8
        )

    def grid(self, channels=C, **kwargs):
        normalization = data.Normalization([0.4] * channels, [0.2] * channels)
        return visualization.reconstruction_grid(
            normalization.normalize(self.pixels[..., :channels]),
            MASK,
            normalization.normalize(self.predicted[..., :channels]),
            normalization,
            min_cell_size=50,
            **kwargs,
        )

    def cell(self, grid, row, column):
        """Returns a cell of the grid, shrunk to the size of the image."""
        bottom = grid.shape[0] - (B - 1 - row) * (H * SCALE + GAP) - GAP
        left = GAP + column * (W * SCALE + GAP)
        cell = grid[bottom - H * SCALE : bottom, left : left + W * SCALE]
        small = cell[::SCALE, ::SCALE]
        self.assertAllEqual(small.repeat(SCALE, 0).repeat(SCALE, 1), cell)
        return small

    def test_columns_are_original_masked_prediction_and_composite(self):
        grid = self.grid()
        self.assertEqual(grid.dtype, np.uint8)
        hidden = np.kron(MASK, np.ones([1, PATCH_SIZE, PATCH_SIZE])) == 1
        for row in range(B):
            m = hidden[row][..., np.newaxis]
            x, y = self.pixels[row], self.predicted[row]
            for column, want in enumerate(
                [x, np.where(m, HIDDEN_COLOUR, x), y, np.where(m, y, x)]
            ):
                self.assertAllEqual(self.cell(grid, row, column), want)

    def test_there_are_four_columns_with_a_heading_above(self):
        grid = self.grid()
        self.assertEqual(grid.shape[1], GAP + 4 * (W * SCALE + GAP))
        heading = grid[: -B * (H * SCALE + GAP)]
        self.assertBetween(heading.shape[0], 12, 40)
        for column in range(4):
            left = GAP + column * (W * SCALE + GAP)
            self.assertLess(heading[:, left : left + W * SCALE].min(), 128)

    def test_a_column_of_errors_comes_with_a_map_of_them(self):
        hidden = np.kron(MASK, np.ones([1, PATCH_SIZE, PATCH_SIZE]))
        error_map = 0.3 * hidden
        error_map[0, 0, :2] = 0.9  # less than 1 % of the hidden pixels
        grid = self.grid(error_map=error_map)
        self.assertEqual(grid.shape[1], GAP + 5 * (W * SCALE + GAP))
        for row in range(B):
            want = np.where(hidden[row][..., np.newaxis], YELLOW, BLACK)
            self.assertAllEqual(self.cell(grid, row, 4), want)

    def test_captions_stand_below_their_rows(self):
        plain, captioned = self.grid(), self.grid(captions=["one", "two"])
        room = (captioned.shape[0] - plain.shape[0]) // 2
        self.assertGreater(room, 12)
        self.assertLess(captioned[-room:, : W * SCALE].min(), 128)

    def test_one_channel_is_shown_as_grey(self):
        original = self.cell(self.grid(channels=1), 1, 0)
        self.assertAllEqual(original, self.pixels[1][..., :1].repeat(3, -1))

    def test_of_two_channels_the_first_is_shown(self):
        original = self.cell(self.grid(channels=2), 1, 0)
        self.assertAllEqual(original, self.pixels[1][..., :1].repeat(3, -1))

    def test_of_many_channels_the_first_three_are_shown(self):
        self.pixels = np.concatenate([self.pixels, self.predicted], axis=-1)
        self.predicted = self.pixels
        original = self.cell(self.grid(channels=5), 1, 0)
        self.assertAllEqual(original, self.pixels[1][..., :3])

    @parameterized.parameters((20, 7), (128, 1), (130, 1))
    def test_small_images_are_enlarged_to_the_default_size(self, side, factor):
        images = np.zeros([2, side, side, 3])
        grid = visualization.reconstruction_grid(
            images, np.ones([2, 1, 1]), images, data.Normalization()
        )
        self.assertEqual(grid.shape[1], GAP + 4 * (side * factor + GAP))

    def test_reconstruction_of_another_shape_is_refused(self):
        images = np.zeros([B, H, W, C])
        with self.assertRaisesRegex(
            ValueError, r"shape of `images`.*\(1, 20, 30, 3\) and \(2,"
        ):
            visualization.reconstruction_grid(
                images, MASK, images[:1], data.Normalization()
            )

    def test_mask_of_another_grid_is_refused(self):
        images = np.zeros([B, H, W, C])
        with self.assertRaisesRegex(ValueError, r"square patches.*\(2, 2, 2\)"):
            visualization.reconstruction_grid(
                images, MASK[..., :2], images, data.Normalization()
            )


class WritePngTest(tf.test.TestCase):
    def test_picture_reads_back_the_same_and_leaves_nothing_else(self):
        directory = Path(self.get_temp_dir())
        picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        for value in (picture, picture + 1):  # the second replaces the first
            visualization.write_png(directory / "a.png", value)
            read = np.asarray(Image.open(directory / "a.png"))
            self.assertAllEqual(read, value)
        self.assertLen(list(directory.iterdir()), 1)


if __name__ == "__main__":
    tf.test.main()
