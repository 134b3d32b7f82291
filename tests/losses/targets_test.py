"""Tests for tf_simmim.losses.targets."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.losses import targets

B, H, W, C, S = 2, 8, 12, 3, 4


def window(images, row, column, half=23):
    """The pixels of the 47 x 47 window around one, cut at the border."""
    rows = slice(max(row - half, 0), row + half + 1)
    columns = slice(max(column - half, 0), column + half + 1)
    return images[:, rows, columns]


def window_statistics(images):
    mean, variance = np.zeros_like(images), np.zeros_like(images)
    for row, column in np.ndindex(images.shape[1:3]):
        pixels = window(images, row, column)
        mean[:, row, column] = pixels.mean(axis=(1, 2))
        variance[:, row, column] = pixels.var(axis=(1, 2), ddof=1)
    return mean, np.sqrt(variance + 1e-6)


class PatchesTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        x = np.arange(B * H * W * C, dtype=np.float32)
        self.images = x.reshape(B, H, W, C)

    def test_values_of_a_cell_are_ordered_row_column_channel(self):
        patches = targets.to_patches(self.images, S)
        self.assertEqual(patches.shape, [B, H // S, W // S, S * S * C])
        for row, column, i, j, c in np.ndindex(2, 3, S, S, C):
            self.assertAllEqual(
                patches[:, row, column, (i * S + j) * C + c],
                self.images[:, row * S + i, column * S + j, c],
            )

    def test_from_patches_is_the_inverse(self):
        patches = targets.to_patches(self.images, S)
        self.assertAllEqual(targets.from_patches(patches, S), self.images)


class TargetStatisticsTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        self.images = self._images(H, W)

    def _images(self, height, width):
        # Another brightness and contrast at every pixel and channel.
        scale = self.rng.uniform(0.5, 3, size=[1, 1, width, C])
        x = self.rng.normal(size=[B, height, width, C])
        return (scale * x + np.arange(C)).astype(np.float32)

    def test_pixels_stay_as_they_are(self):
        mean, scale = targets.target_statistics(self.images, "pixels", S)
        self.assertEqual(mean, 0)
        self.assertEqual(scale, 1)

    def test_patch_statistics_equal_numpy(self):
        mean, scale = targets.target_statistics(
            self.images, "patch_normalized", S
        )
        self.assertEqual(mean.shape, [B, 2, 3, 1])
        for row, column in np.ndindex(2, 3):
            rows = slice(row * S, row * S + S)
            columns = slice(column * S, column * S + S)
            cell = self.images[:, rows, columns].reshape(B, -1)
            self.assertAllClose(mean[:, row, column, 0], cell.mean(axis=1))
            want = np.sqrt(cell.var(axis=1, ddof=1) + 1e-6)
            self.assertAllClose(scale[:, row, column, 0], want)

    @parameterized.parameters((8, 12), (52, 8), (60, 64))
    def test_window_statistics_equal_numpy_up_to_the_border(
        self, height, width
    ):
        images = self._images(height, width)
        mean, scale = targets.target_statistics(images, "window_normalized", S)
        want_mean, want_scale = window_statistics(images)
        self.assertAllClose(
            targets.from_patches(mean, S), want_mean, rtol=1e-4, atol=1e-4
        )
        self.assertAllClose(
            targets.from_patches(scale, S), want_scale, rtol=1e-4, atol=1e-4
        )

    @parameterized.parameters(*targets.TARGETS)
    def test_flat_images_stay_finite(self, kind):
        flat = np.full([B, H, W, C], 0.3, np.float32)
        mean, scale = targets.target_statistics(flat, kind, S)
        encoded = (targets.to_patches(flat, S) - mean) / scale
        self.assertAllInRange(encoded, -1.0, 1.0)

    @parameterized.parameters(*targets.TARGETS)
    def test_decoding_inverts_encoding(self, kind):
        mean, scale = targets.target_statistics(self.images, kind, S)
        encoded = (targets.to_patches(self.images, S) - mean) / scale
        decoded = targets.from_patches(encoded * scale + mean, S)
        self.assertAllClose(decoded, self.images, rtol=1e-5, atol=1e-5)

    def test_normalised_cells_have_no_brightness_or_contrast_left(self):
        mean, scale = targets.target_statistics(
            self.images, "patch_normalized", S
        )
        encoded = (targets.to_patches(self.images, S) - mean) / scale
        self.assertAllClose(
            np.mean(encoded, axis=-1), np.zeros([B, 2, 3]), atol=1e-5
        )
        self.assertAllClose(
            np.std(encoded, axis=-1, ddof=1), np.ones([B, 2, 3]), atol=1e-5
        )

    def test_kinds_differ(self):
        scales = [
            np.broadcast_to(
                targets.target_statistics(self.images, kind, S)[1],
                [B, 2, 3, S * S * C],
            )
            for kind in targets.TARGETS
        ]
        self.assertNotAllClose(scales[0], scales[1])
        self.assertNotAllClose(scales[1], scales[2])

    def test_unknown_kind_is_refused(self):
        with self.assertRaisesRegex(
            ValueError, "`kind` must be one of .*Received: 'raw'"
        ):
            targets.target_statistics(self.images, "raw", S)


if __name__ == "__main__":
    tf.test.main()
