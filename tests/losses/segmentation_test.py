"""Tests for tf_simmim.losses.segmentation."""

import numpy as np
import tensorflow as tf

from tf_simmim import losses

LOGITS = np.array([[[[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]]]], np.float32)


class SegmentationLossTest(tf.test.TestCase):
    def test_it_is_the_mean_cross_entropy_of_pixels_with_a_class(self):
        truth = np.uint8([[[[1], [2]]]])
        first = -np.log(np.exp(2) / (1 + np.exp(2) + np.exp(1)))
        second = -np.log(1 / (np.exp(3) + 2))
        loss = losses.segmentation_loss(LOGITS, truth)
        self.assertAllClose(loss, (first + second) / 2)
        truth[0, 0, 1] = 255
        self.assertAllClose(losses.segmentation_loss(LOGITS, truth), first)

    def test_each_pixel_counts_as_much_as_its_class(self):
        truth = np.uint8([[[[1], [2]]], [[[255], [1]]]])
        logits = np.concatenate([LOGITS, LOGITS])
        first = -np.log(np.exp(2) / (1 + np.exp(2) + np.exp(1)))
        second = third = -np.log(1 / (np.exp(3) + 2))
        for scale in (1.0, 1e-3):
            weights = np.array([7.0, 0.5, 0.1]) * scale
            loss = losses.segmentation_loss(logits, truth, 255, weights)
            wanted = (0.5 * first + 0.1 * second + 0.5 * third) / 1.1
            self.assertAllClose(loss, wanted)
            counts = losses.count_pixels(truth, 255, weights)
            self.assertAllClose(counts, np.array([0.6, 0.5]) * scale)

    def test_without_any_class_it_is_zero(self):
        logits = np.full([2, 3, 4, 5], np.nan, np.float32)
        truth = np.full([2, 3, 4, 1], 7)
        loss = losses.segmentation_loss(logits, truth, ignore_label=7)
        self.assertEqual(loss, 0.0)

    def test_pixels_with_a_class_are_counted(self):
        truth = np.full([2, 3, 4, 1], 7)
        truth[1, 2, 3] = 4
        self.assertAllEqual(
            losses.count_pixels(truth, ignore_label=7), [0.0, 1.0]
        )


if __name__ == "__main__":
    tf.test.main()
