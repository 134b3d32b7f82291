"""Tests for tf_simmim.evaluation.classification."""

import json

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import evaluation
from tf_simmim import models

NAMES = ("a", "b", "c", "d", "e", "f", "g")
# Of seven images: five labels are first, the sixth is sixth, the seventh
# fifth. Rows: logits of classes a..g.
LOGITS = np.array(
    [
        [9, 0, 0, 0, 0, 0, 0],
        [9, 8, 0, 0, 0, 0, 0],
        [0, 9, 0, 0, 0, 0, 0],
        [0, 0, 9, 0, 0, 0, 0],
        [0, 0, 9, 0, 0, 0, 0],
        [9, 8, 7, 6, 5, 4, 3],
        [9, 8, 7, 6, 5, 4, 3],
    ],
    np.float32,
)
LABELS = np.array([0, 0, 1, 2, 2, 5, 4])


class ClassificationReportTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.report = evaluation.classification_report(LOGITS, LABELS, NAMES)

    def test_the_shares_are_those_counted_by_hand(self):
        self.assertEqual(self.report.num_images, 7)
        self.assertAlmostEqual(self.report.top_1, 5 / 7)
        self.assertAlmostEqual(self.report.top_5, 6 / 7)
        want = np.diag([2, 1, 2, 0, 0, 0, 0])
        want[5, 0] = want[4, 0] = 1
        self.assertAllEqual(self.report.confusion, want)

    def test_each_class_has_its_recall_and_precision(self):
        rows = {row["name"]: row for row in self.report.per_class()}
        self.assertEqual(
            rows["a"],
            {"name": "a", "images": 2, "recall": 1.0, "precision": 0.5},
        )
        self.assertEqual(
            rows["e"],
            {"name": "e", "images": 1, "recall": 0.0, "precision": None},
        )
        self.assertIsNone(rows["d"]["recall"])

    def test_json_and_table_hold_it_the_worst_first(self):
        read = json.loads(json.dumps(self.report.to_json()))
        self.assertEqual(read["top_1"], self.report.top_1)
        self.assertEqual(
            read["most_confused"],
            [
                {"name": "e", "taken_for": "a", "images": 1},
                {"name": "f", "taken_for": "a", "images": 1},
            ],
        )
        lines = self.report.table(num_classes=3).splitlines()
        self.assertEqual(lines[1].split(), ["e", "1", "0.000", "-"])
        self.assertEqual(lines[3].split(), ["a", "2", "1.000", "0.500"])
        self.assertEqual(lines[4], "and 2 better ones")

    def test_of_equal_logits_the_first_class_wins(self):
        report = evaluation.classification_report(
            np.zeros([2, 7]), np.array([0, 5]), NAMES
        )
        self.assertEqual((report.top_1, report.top_5), (0.5, 0.5))

    def test_few_classes_have_no_top_5(self):
        report = evaluation.classification_report(
            np.eye(3), np.arange(3), NAMES[:3]
        )
        self.assertEqual((report.top_1, report.top_5), (1.0, None))

    @parameterized.parameters(
        (np.zeros([2, 6]), [0, 1], "`logits` must be"),
        (np.zeros([2, 7]), [0, 7], "`labels` must be in 0..6.*0..7"),
        (np.zeros([0, 7]), np.zeros([0], int), "one at least.*none"),
    )
    def test_what_does_not_fit_is_refused(self, logits, labels, message):
        with self.assertRaisesRegex(ValueError, message):
            evaluation.classification_report(logits, labels, NAMES)


def vit():
    return backbones.ViT((8, 12), 4, 6, 1, 2, channels=2)


def resnet():
    return backbones.Convolutional(
        (8, 12), "resnet18", depths=(1,), widths=(6,), channels=2
    )


class PredictLogitsTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(vit, resnet)
    @pytest.mark.slow
    def test_two_replicas_say_the_same_in_the_same_order(self, backbone):
        strategy = tf.distribute.MirroredStrategy(
            ["/cpu:0", "/cpu:1"],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
        images = np.random.default_rng(0).normal(size=[7, 8, 12, 2])
        elements = {
            "image": images.astype(np.float32),
            "label": np.arange(7) % 3,
        }

        def logits_of(strategy, batches):
            tf.keras.utils.set_random_seed(0)
            with strategy.scope():
                model = models.Classifier(backbone(), 3)
            return evaluation.predict_logits(model, batches, strategy)

        # Of the last batch, the second replica has none.
        batches = tf.data.Dataset.from_tensor_slices(elements).batch(6)
        want, labels = logits_of(tf.distribute.get_strategy(), batches)
        self.assertAllEqual(labels, elements["label"])
        self.assertEqual(want.shape, (7, 3))
        got, labels = logits_of(
            strategy, strategy.experimental_distribute_dataset(batches)
        )
        self.assertAllEqual(labels, elements["label"])
        self.assertAllClose(got, want, rtol=0, atol=1e-6)


if __name__ == "__main__":
    tf.test.main()
