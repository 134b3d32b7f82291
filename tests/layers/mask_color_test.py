"""Tests for tf_simmim.layers.mask_color."""

import numpy as np
import tensorflow as tf

from tf_simmim.layers import mask_color

B, H, W, C = 2, 3, 4, 5


class MaskColorTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.images = rng.normal(size=[B, H, W, C]).astype(np.float32)
        self.mask = rng.integers(0, 2, [B, H, W])
        self.layer = mask_color.MaskColor()
        self.layer(self.images, pixel_mask=self.mask)

    def test_hidden_pixels_take_the_color_and_visible_ones_stay(self):
        self.assertAllEqual(self.layer.color, np.zeros([C]))
        self.layer.color.assign(np.arange(C))
        want = self.images.copy()
        want[self.mask == 1] = np.arange(C)
        for mask in (self.mask, self.mask == 1):
            y = self.layer(self.images, pixel_mask=mask)
            self.assertAllEqual(y, want)

    def test_only_hidden_pixels_feed_the_gradient(self):
        with tf.GradientTape() as tape:
            y = self.layer(self.images, pixel_mask=self.mask)
        gradient = tape.gradient(y, self.layer.color)
        self.assertAllEqual(gradient, np.full([C], self.mask.sum()))

    def test_what_a_hidden_pixel_holds_does_not_matter(self):
        images = np.where(self.mask[..., None] == 1, np.nan, self.images)
        y = self.layer(images.astype(np.float32), pixel_mask=self.mask)
        self.assertAllInRange(y, -10, 10)

    def test_mask_of_another_size_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`pixel_mask`"):
            self.layer(self.images, pixel_mask=tf.ones([B, W, H]))


if __name__ == "__main__":
    tf.test.main()
