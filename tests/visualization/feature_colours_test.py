"""Tests for tf_simmim.visualization.feature_colours."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import visualization

B, H, W, D = 2, 5, 6, 7


class FeatureColoursTest(tf.test.TestCase, parameterized.TestCase):
    def test_two_clusters_give_two_colours(self):
        is_first = np.zeros([B, H, W], bool)
        is_first[0, :2] = is_first[1, 3:, 4:] = True
        one, other = np.random.default_rng(0).normal(size=[2, D])
        features = np.where(is_first[..., np.newaxis], one, other)
        colours = visualization.feature_colours(features)
        self.assertEqual(colours.dtype, np.uint8)
        self.assertEqual(colours.shape, (B, H, W, 3))
        # One direction has all the variance; the two ends of it are red.
        largest = np.argmax(np.abs(one - other))
        bright = is_first if one[largest] > other[largest] else ~is_first
        self.assertAllEqual(
            np.unique(colours[bright], axis=0), [[255, 128, 128]]
        )
        self.assertAllEqual(
            np.unique(colours[~bright], axis=0), [[0, 128, 128]]
        )

    def test_channels_are_the_components_from_2nd_to_98th_percentile(self):
        rng = np.random.default_rng(1)
        # Variances along the axes, in an order that is no sorted one.
        scales = np.array([1.0, 9.0, 3.0, 0.1, 0.1, 0.1, 0.1])
        x = rng.normal(size=[B * H * W, D])
        x -= x.mean(axis=0)
        left, _, right = np.linalg.svd(x, full_matrices=False)
        x = left * scales + 5.0  # uncorrelated, so these are the components
        colours = visualization.feature_colours(x.reshape(B, H, W, D))
        for channel, axis in enumerate((1, 2, 0)):
            low, high = np.percentile(x[:, axis], [2, 98])
            want = 255 * np.clip((x[:, axis] - low) / (high - low), 0, 1)
            got = colours[..., channel].ravel()
            self.assertAllClose(got, want, rtol=0, atol=0.51)

    def test_the_sign_does_not_depend_on_how_features_are_ordered(self):
        features = np.random.default_rng(2).normal(size=[B, H, W, D])
        wanted = visualization.feature_colours(features)
        flipped = visualization.feature_colours(features[::-1, ::-1])
        self.assertAllClose(wanted, flipped[::-1, ::-1], rtol=0, atol=1)

    def test_one_outlier_does_not_take_the_contrast_of_the_others(self):
        features = np.random.default_rng(3).normal(size=[B, 10, 9, D])
        features[0, 0, 0, 0] = 1e3
        red = visualization.feature_colours(features)[..., 0]
        self.assertGreater(np.std(red), 40)

    @parameterized.parameters(1, 2)
    def test_few_features_leave_the_other_channels_grey(self, width):
        features = np.random.default_rng(4).normal(size=[B, H, W, width])
        colours = visualization.feature_colours(features)
        self.assertAllEqual(
            colours[..., width:], np.full([B, H, W, 3 - width], 128)
        )
        self.assertGreater(np.std(colours[..., width - 1]), 40)

    def test_equal_features_are_grey(self):
        colours = visualization.feature_colours(np.full([B, H, W, D], 0.3))
        self.assertAllEqual(colours, np.full([B, H, W, 3], 128))

    @parameterized.parameters(
        (np.zeros([H, W, D]), r"\(5, 6, 7\)"),
        (np.full([B, H, W, D], np.nan), "finite"),
    )
    def test_what_is_no_feature_map_is_refused(self, features, message):
        with self.assertRaisesRegex(ValueError, message):
            visualization.feature_colours(features)


if __name__ == "__main__":
    tf.test.main()
