"""Tests for tf_simmim.metrics.segmentation_scores."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tf_simmim import metrics

L = 4
TRUTH = np.uint8([[0, 0, 0, 1], [1, 2, 255, 2]])
PREDICTION = np.int32([[0, 1, 0, 1], [1, 0, 3, 2]])


def by_hand(truth, prediction):
    """Returns (accuracy, mean IoU), class by class."""
    counted = truth != 255
    truth, prediction = truth[counted], prediction[counted]
    ious = []
    for c in range(L):
        union = ((truth == c) | (prediction == c)).sum()
        if union:
            both = ((truth == c) & (prediction == c)).sum()
            ious.append(both / union)
    return (truth == prediction).mean(), np.mean(ious)


class SegmentationScoresTest(tf.test.TestCase, parameterized.TestCase):
    def test_scores_are_those_worked_out_by_hand(self):
        scores = metrics.SegmentationScores(L)
        scores.update_state(TRUTH, PREDICTION)
        wanted = [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
        self.assertAllEqual(scores.counts(), wanted)
        result = scores.result()
        self.assertAllClose(result["accuracy"], 5 / 7)
        # Class 3 is nowhere: an ignored pixel that was taken for it is not.
        self.assertAllClose(scores.iou(), [2 / 4, 2 / 3, 1 / 2, np.nan])
        self.assertAllClose(result["mean_iou"], (1 / 2 + 2 / 3 + 1 / 2) / 3)
        self.assertAllClose(
            [result["accuracy"], result["mean_iou"]], by_hand(TRUTH, PREDICTION)
        )

    @given(
        st.lists(
            st.tuples(st.sampled_from([0, 1, 2, 3, 255]), st.integers(0, 3)),
            min_size=1,
        )
    )
    @settings(max_examples=20, deadline=None)
    def test_counts_of_parts_add_up_to_the_scores_of_the_whole(self, pixels):
        truth, prediction = np.array([(0, 0), *pixels]).T
        scores = metrics.SegmentationScores(L)
        for part in (slice(None, 2), slice(2, None)):
            scores.update_state(truth[part], prediction[part])
        result = scores.result()
        self.assertAllClose(
            [result["accuracy"], result["mean_iou"]], by_hand(truth, prediction)
        )

    def test_without_pixels_there_are_no_scores(self):
        scores = metrics.SegmentationScores(L)
        scores.update_state(TRUTH, PREDICTION)
        scores.reset_state()
        result = scores.result()
        self.assertTrue(np.isnan(result["accuracy"]))
        self.assertTrue(np.isnan(result["mean_iou"]))

    def test_replicas_count_into_one_matrix(self):
        strategy = tf.distribute.MirroredStrategy(
            ["/cpu:0", "/cpu:1"],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
        with strategy.scope():
            scores = metrics.SegmentationScores(L)

        def step():
            context = tf.distribute.get_replica_context()
            row = context.replica_id_in_sync_group
            scores.update_state(
                tf.gather(TRUTH, row), tf.gather(PREDICTION, row)
            )
            return scores.result()

        results = tf.function(lambda: strategy.run(step))()
        for name, wanted in zip(
            ("accuracy", "mean_iou"), by_hand(TRUTH, PREDICTION), strict=True
        ):
            for result in strategy.experimental_local_results(results[name]):
                self.assertAllClose(result, wanted)
        self.assertEqual(scores.counts().sum(), 7)

    @parameterized.parameters(
        (0, 255, "`num_classes` must be positive"),
        (4, 3, r"none of the classes, 0\.\.3. Received: 3"),
    )
    def test_impossible_arguments_are_refused(self, num, ignored, message):
        with self.assertRaisesRegex(ValueError, message):
            metrics.SegmentationScores(num, ignored)


if __name__ == "__main__":
    tf.test.main()
