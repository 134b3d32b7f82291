"""Tests for tf_simmim.compression.comparison and tallies."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.compression import small
from tf_simmim import evaluation
from tf_simmim.compression import agreement
from tf_simmim.compression import comparison
from tf_simmim.compression import network

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 1])


def compare(model, other, images, train_images=None):
    pair = (network.of_model(model), network.of_model(other))
    return comparison.compare(model, pair, images, train_images)


class ComparisonTest(tf.test.TestCase):
    def test_classifiers_are_compared_by_predictions_and_labels(self):
        model, other = small.classifier(), small.classifier(5, seed=1)
        found, scores, num_images = compare(
            model, other, small.batches(label=LABELS)
        )
        logits, others = (
            each(small.images(), training=False).numpy()
            for each in (model, other)
        )
        self.assertEqual((found.of, num_images), ("predictions", 10))
        want = agreement.kl_divergence(logits, others).mean()
        self.assertAllClose(found.kl, want, rtol=1e-4)
        best, others_best = logits.argmax(axis=1), others.argmax(axis=1)
        self.assertAllClose(found.agreement, np.mean(best == others_best))
        self.assertLess(found.agreement, 1.0)
        for score, predicted in zip(scores, (best, others_best), strict=True):
            self.assertEqual(list(score), ["accuracy"])
            self.assertAllClose(score["accuracy"], np.mean(predicted == LABELS))
        features = [
            each.backbone(small.images()).numpy().mean(axis=(1, 2))
            for each in (model, other)
        ]
        cka = agreement.linear_cka(features[0], features[1])
        self.assertAllClose(found.cka, cka, rtol=1e-4)

    def test_without_labels_there_are_no_scores(self):
        model = small.classifier()
        found, scores, _ = compare(model, model, small.batches())
        self.assertEqual(scores, [{}, {}])
        self.assertAllClose([found.kl, found.agreement], [0, 1], atol=1e-12)
        self.assertAllClose(found.cka, 1.0)

    def test_segmenters_are_compared_pixel_by_pixel(self):
        model, other = small.segmenter(), small.segmenter(seed=1)
        truth = np.random.default_rng(0).integers(0, 3, [10, small.H, small.W])
        truth[0, 0] = 255  # of no class
        found, scores, _ = compare(
            model, other, small.batches(segmentation=truth)
        )
        logits, others = (
            each(small.images(), training=False).numpy()
            for each in (model, other)
        )
        self.assertEqual(found.of, "pixels")
        want = agreement.kl_divergence(logits, others).mean()
        self.assertAllClose(found.kl, want, rtol=1e-4)
        for score, found in zip(scores, (logits, others), strict=True):
            is_known = truth != 255
            best = found.argmax(axis=-1)
            right = (best == truth)[is_known].mean()
            self.assertAllClose(score["pixel_accuracy"], right)
            ious = [
                np.sum((best == c) & (truth == c))
                / np.sum(is_known & ((best == c) | (truth == c)))
                for c in range(3)
            ]
            self.assertAllClose(score["mean_iou"], np.mean(ious))

    @pytest.mark.slow
    def test_detectors_are_compared_anchor_by_anchor(self):
        model, other = small.detector(), small.detector(seed=1)
        boxes = np.tile(np.float32([[[2, 3, 9, 12]]]), [10, 1, 1])
        found, scores, _ = compare(
            model,
            other,
            small.batches(boxes=boxes, box_classes=LABELS[:, np.newaxis]),
        )
        logits, others = (
            each(small.images(), training=False)["classification"].numpy()
            for each in (model, other)
        )
        self.assertEqual(found.of, "anchors")
        want = agreement.sigmoid_kl_divergence(logits, others).mean()
        self.assertAllClose(found.kl, want, rtol=1e-4)
        detected = model.detect(small.images())
        names = ("boxes", "classes", "confidence")
        report = evaluation.detection_report(
            [
                {"boxes": b, "box_classes": [c]}
                for b, c in zip(boxes, LABELS, strict=True)
            ],
            [
                {name: detected[name][i].numpy() for name in names}
                for i in range(10)
            ],
            "abc",
        )
        want = report.to_json()["mean_average_precision"]
        self.assertAllClose(scores[0]["mean_average_precision"], want)

    def test_networks_without_heads_are_compared_by_similarities(self):
        model, other = small.simmim(), small.simmim(5, seed=1)
        found, scores, _ = compare(
            model,
            other,
            small.batches(label=LABELS),
            small.batches(label=LABELS),
        )
        logits, others = (
            agreement.similarity_logits(
                each.backbone(small.images()).numpy().mean(axis=(1, 2))
            )
            for each in (model, other)
        )
        self.assertEqual(found.of, "similarities")
        want = agreement.kl_divergence(logits, others).mean()
        self.assertAllClose(found.kl, want, rtol=1e-4)
        same = np.mean(logits.argmax(axis=1) == others.argmax(axis=1))
        self.assertAllClose(found.agreement, same)
        for score in scores:
            self.assertEqual(sorted(score), ["knn", "linear"])
        _, scores, _ = compare(model, other, small.batches(label=LABELS))
        self.assertEqual(scores, [{}, {}])

    def test_an_answer_that_is_not_finite_ends_it(self):
        model, other = small.classifier(), small.classifier(seed=1)
        weight = other.head.weights[0]
        weight.assign(weight + np.nan)
        with self.assertRaisesRegex(FloatingPointError, "logits.*not finite"):
            compare(model, other, small.batches())

    def test_a_network_without_features_has_no_alignment(self):
        model = small.classifier()
        pair = (network.of_model(model),) * 2
        logits_only = dataclasses.replace(
            pair[1],
            outputs=lambda images: {
                "logits": pair[1].outputs(images)["logits"]
            },
        )
        found, _, _ = comparison.compare(
            model, (pair[0], logits_only), small.batches()
        )
        self.assertIsNone(found.cka)

    def test_too_few_images_are_refused(self):
        model = small.simmim()
        with self.assertRaisesRegex(ValueError, "at least 3.*Received: 2"):
            compare(model, model, small.batches()[-1:])
        with self.assertRaisesRegex(ValueError, "at least 1.*Received: 0"):
            compare(small.classifier(), small.classifier(), [])


if __name__ == "__main__":
    tf.test.main()
