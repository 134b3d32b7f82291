"""Tests for tf_simmim.shares; of each model's evaluation in tests/models."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import shares

IMAGES = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
LABELS = np.int64([5, 7])


class SharesTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(num_images=[0, 1, 2], is_known=[True, False])
    def test_a_function_sees_the_share_or_one_image_of_zeros(
        self, num_images, is_known
    ):
        sizes, graphs = [], []

        def function(images, labels):
            graphs.append(images.shape)
            sizes.append(tf.shape(images)[0])
            total = tf.reduce_sum(images, axis=[1, 2])
            return tf.size(labels), {"sum": total, "label": labels}

        def step(images, labels):
            count, results = shares.run(function, images, labels)
            return count, results, sizes[-1]

        share = IMAGES[:num_images], LABELS[:num_images]
        if not is_known:
            step = tf.function(
                step,
                input_signature=[
                    tf.TensorSpec([None, 3, None], tf.float32),
                    tf.TensorSpec([None], tf.int64),
                ],
            )
        count, results, size = step(*map(tf.constant, share))
        self.assertEqual(size, max(num_images, 1))
        self.assertEqual(count, max(num_images, 1))
        self.assertAllEqual(results["sum"], share[0].sum(axis=(1, 2)))
        self.assertAllEqual(results["label"], share[1])
        self.assertEqual(results["label"].dtype, tf.int64)
        if not is_known:
            self.assertEqual(graphs[0].as_list(), [None, 3, None])


if __name__ == "__main__":
    tf.test.main()
