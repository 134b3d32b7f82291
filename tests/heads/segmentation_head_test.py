"""Tests for tf_simmim.heads.segmentation_head."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import heads

B = 2


def _maps(*sizes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=[B, *s, 4]).astype(np.float32) for s in sizes]


class SegmentationHeadTest(tf.test.TestCase, parameterized.TestCase):
    def test_logits_are_linear_in_the_sum_of_enlarged_normalised_levels(self):
        maps = _maps((4, 6), (2, 3))
        head = heads.SegmentationHead(3, 2, width=5)
        logits = head(maps, training=True)
        self.assertEqual(logits.shape, [B, 4, 6, 3])

        total = 0.0
        for level, each in zip(head.levels, maps, strict=True):
            x = tf.nn.conv2d(each, level.convolution.kernel, 1, "SAME").numpy()
            mean = x.mean(axis=-1, keepdims=True)
            x = (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)
            total += tf.image.resize(np.maximum(x, 0.0), (4, 6)).numpy()
        kernel, bias = head.prediction.get_weights()
        self.assertAllClose(logits, total @ kernel + bias, atol=1e-5)

    def test_logits_are_float32_in_few_bits(self):
        head = heads.SegmentationHead(3, 1, width=5, dtype="mixed_bfloat16")
        self.assertEqual(head(_maps((4, 6))).dtype, tf.float32)

    def test_another_number_of_maps_is_refused(self):
        with self.assertRaisesRegex(ValueError, "must be 2, one a level"):
            heads.SegmentationHead(3, 2)(_maps((4, 6)))


if __name__ == "__main__":
    tf.test.main()
