"""Tests for tf_simmim.layers.windows."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tf_simmim.layers import windows

B, D = 2, 3


def cells(h, w):
    """Returns a map in which cell (r, c) of image b holds 100 b + 10 r + c."""
    r, c = np.mgrid[:h, :w]
    images = np.stack([100 * b + 10 * r + c for b in range(B)])
    return np.repeat(images[..., np.newaxis], D, -1).astype(np.float32)


class WindowsTest(tf.test.TestCase, parameterized.TestCase):
    def test_windows_by_hand(self):
        got = windows.to_windows(tf.constant(cells(4, 6)), (2, 3), (0, 0))
        self.assertEqual(got.shape, [B * 4, 6, D])
        self.assertAllEqual(got[0, :, 0], [0, 1, 2, 10, 11, 12])
        self.assertAllEqual(got[1, :, 0], [3, 4, 5, 13, 14, 15])
        self.assertAllEqual(got[6, :, 2], [120, 121, 122, 130, 131, 132])

    def test_shifted_windows_by_hand(self):
        got = windows.to_windows(tf.constant(cells(4, 6)), (2, 3), (1, 1))
        self.assertAllEqual(got[0, :, 0], [11, 12, 13, 21, 22, 23])
        # Right and bottom windows get what fell off on the other side.
        self.assertAllEqual(got[1, :, 0], [14, 15, 10, 24, 25, 20])
        self.assertAllEqual(got[3, :, 0], [34, 35, 30, 4, 5, 0])

    def test_a_map_is_padded_with_zeros_to_whole_windows(self):
        self.assertEqual(windows.padded_size((5, 7), (2, 3)), (6, 9))
        got = windows.to_windows(tf.constant(cells(5, 7) + 1), (2, 3), (0, 0))
        self.assertEqual(got.shape, [B * 9, 6, D])
        self.assertAllEqual(got[8, :, 0], [47, 0, 0, 0, 0, 0])

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(
        st.integers(1, 9),
        st.integers(1, 9),
        st.integers(1, 4),
        st.integers(1, 4),
        st.integers(0, 3),
        st.integers(0, 3),
    )
    def test_from_windows_undoes_to_windows(self, h, w, y, x, down, right):
        feature_map = tf.constant(cells(h, w))
        shift = (down % y, right % x)
        cut = windows.to_windows(feature_map, (y, x), shift)
        back = windows.from_windows(cut, (h, w), (y, x), shift)
        self.assertAllEqual(back, feature_map)

    def test_unshifted_whole_windows_have_only_neighbours(self):
        got = windows.neighbours((4, 6), (2, 3), (0, 0))
        self.assertEqual(got.shape, (4, 6, 6))
        self.assertTrue(got.all())

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(
        st.integers(1, 9),
        st.integers(1, 9),
        st.integers(1, 4),
        st.integers(1, 4),
        st.integers(0, 3),
        st.integers(0, 3),
    )
    def test_neighbours_are_cells_as_near_as_in_the_window(
        self, h, w, y, x, down, right
    ):
        """Told from coordinates that travel through the cutting itself."""
        shift = (down % y, right % x)
        r, c = np.mgrid[:h, :w] + 1
        places = np.stack([r, c], -1)[np.newaxis]  # from 1; padding is 0
        cut = windows.to_windows(tf.constant(places), (y, x), shift).numpy()
        in_window = np.stack(np.divmod(np.arange(y * x), x), -1)
        apart_in_image = cut[:, :, np.newaxis] - cut[:, np.newaxis]
        apart_in_window = in_window[:, np.newaxis] - in_window
        is_image = cut[..., 0] > 0
        want = (apart_in_image == apart_in_window).all(-1)
        both_image = is_image[:, :, np.newaxis] & is_image[:, np.newaxis]
        neither = ~is_image[:, :, np.newaxis] & ~is_image[:, np.newaxis]
        want = (want & both_image) | neither
        got = windows.neighbours((h, w), (y, x), shift)
        np.testing.assert_array_equal(got, want)


if __name__ == "__main__":
    tf.test.main()
