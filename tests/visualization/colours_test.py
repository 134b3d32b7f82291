"""Tests for tf_simmim.visualization.colours."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import visualization


class ColoursTest(tf.test.TestCase, parameterized.TestCase):
    def test_heat_goes_from_black_to_pale_yellow_and_is_cut_there(self):
        colours = visualization.heat_colours([-1.0, 0.0, 2.0, 9.0, np.nan], 2.0)
        black, yellow = (0, 0, 4), (252, 255, 164)
        self.assertAllEqual(colours, [black, black, yellow, yellow, black])

    def test_heat_only_gets_lighter(self):
        colours = visualization.heat_colours(np.linspace(0, 1, 50), 1.0)
        lightness = colours @ np.array([0.299, 0.587, 0.114])
        self.assertAllGreater(np.diff(lightness), 0.0)

    def test_nothing_to_show_is_black(self):
        colours = visualization.heat_colours(np.zeros([2, 3]), 0.0)
        self.assertAllEqual(colours, np.tile([0, 0, 4], [2, 3, 1]))

    def test_overlay_mixes_the_picture_in_grey_with_heat(self):
        picture = np.full([2, 3, 3], (250, 100, 50), np.uint8)
        overlay = visualization.heat_overlay(
            picture, np.zeros([2, 3]), 1.0, opacity=0.25
        )
        grey = 0.299 * 250 + 0.587 * 100 + 0.114 * 50
        want = np.round(0.75 * grey + 0.25 * np.array([0, 0, 4]))
        self.assertAllEqual(overlay, np.tile(want, [2, 3, 1]))

    @parameterized.parameters(
        (1, [0, 0, 0], ""),
        (2, [0, 0, 0], "channel 1 of 2, as grey"),
        (3, [0, 1, 2], ""),
        (5, [0, 1, 2], "channels 1, 2 and 3 of 5, as red, green and blue"),
    )
    def test_any_number_of_channels_is_shown(self, channels, shown, text):
        images = np.arange(2 * 3 * 4 * channels, dtype=np.uint8)
        images = images.reshape(2, 3, 4, channels)
        self.assertAllEqual(visualization.to_rgb(images), images[..., shown])
        self.assertEqual(visualization.shown_channels(channels), text)


if __name__ == "__main__":
    tf.test.main()
