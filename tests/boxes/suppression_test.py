"""Tests for tf_simmim.boxes.suppression."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import boxes

SIZE = (48, 80)
L = 3


@functools.cache  # Not while tests are collected: it imports keras-cv.
def anchors():
    return boxes.create_anchors(SIZE, [8, 16])


def say(*found):
    """Returns what a head says: {anchor: (class, probability, box)} a row."""
    num_anchors = len(anchors())
    box = np.zeros([len(found), num_anchors, 4], np.float32)
    logits = np.full([len(found), num_anchors, L], -9.0, np.float32)
    for row, each in enumerate(found):
        for anchor, (label, share, wanted) in each.items():
            logits[row, anchor, label] = np.log(share / (1 - share))
            if wanted is not None:
                box[row, anchor] = boxes.encode_boxes(
                    tf.constant([wanted], tf.float32), anchors()[anchor][None]
                )[0]
    return box, logits


class SuppressionTest(tf.test.TestCase, parameterized.TestCase):
    def test_the_surest_come_first_and_boxes_over_them_go(self):
        first, near, far = [4, 8, 24, 40], [5, 9, 25, 41], [26, 50, 44, 70]
        found = boxes.Suppression(anchors(), SIZE)(
            *say(
                {7: (1, 0.6, far), 30: (2, 0.9, first), 300: (0, 0.8, near)},
                {11: (0, 0.3, near)},
            )
        )
        self.assertAllEqual(found["num_detections"], [2, 1])
        self.assertAllEqual(found["classes"][:, :3], [[2, 1, -1], [0, -1, -1]])
        self.assertAllClose(
            found["confidence"][:, :3], [[0.9, 0.6, -1], [0.3, -1, -1]]
        )
        self.assertAllClose(
            found["boxes"][:, :2],
            [[first, far], [near, [-1, -1, -1, -1]]],
            atol=1e-3,
        )
        self.assertEqual(found["boxes"].shape, [2, 100, 4])
        self.assertEqual(
            {name: each.dtype for name, each in found.items()},
            {
                "boxes": tf.float32,
                "classes": tf.int64,
                "confidence": tf.float32,
                "num_detections": tf.int32,
            },
        )

    def test_thresholds_and_numbers_are_heeded(self):
        said = say({3: (0, 0.9, None), 200: (0, 0.4, None)})
        for options, count in (
            ({}, 2),
            ({"confidence_threshold": 0.5}, 1),
            ({"confidence_threshold": 0.95}, 0),
            ({"max_detections": 1}, 1),
        ):
            found = boxes.Suppression(anchors(), SIZE, **options)(*said)
            self.assertAllEqual(found["num_detections"], [count])
        same = say({3: (0, 0.9, [4, 8, 24, 40]), 4: (0, 0.8, [8, 8, 28, 40])})
        for threshold, count in ((0.6, 1), (0.7, 2)):  # they overlap by 2/3
            found = boxes.Suppression(anchors(), SIZE, iou_threshold=threshold)(
                *same
            )
            self.assertAllEqual(found["num_detections"], [count])

    def test_fewer_anchors_than_detections_are_enough(self):
        few = boxes.Suppression(anchors()[:5], SIZE, max_detections=9)
        box, logits = say({3: (1, 0.9, None)})
        found = few(box[:, :5], logits[:, :5])
        self.assertAllEqual(found["classes"], [[1] + 8 * [-1]])

    @pytest.mark.slow
    def test_graph_of_any_batch_size_equals_eager(self):
        suppression = boxes.Suppression(anchors(), SIZE)
        said = say({7: (1, 0.6, None), 30: (2, 0.9, None)}, {0: (0, 0.4, None)})
        signature = [tf.TensorSpec([None, *each.shape[1:]]) for each in said]
        run = tf.function(suppression, input_signature=signature)
        wanted = suppression(*said)
        for name, value in run(*said).items():
            self.assertAllClose(value, wanted[name])

    @parameterized.parameters(
        ({"confidence_threshold": 1.1}, "`confidence_threshold` must lie"),
        ({"iou_threshold": -0.1}, "`iou_threshold` must lie"),
        ({"max_detections": 0}, "`max_detections` must be positive"),
    )
    def test_impossible_arguments_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            boxes.Suppression(anchors(), SIZE, **options)


if __name__ == "__main__":
    tf.test.main()
