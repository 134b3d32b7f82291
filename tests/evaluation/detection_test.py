"""Tests for tf_simmim.evaluation.detection."""

import numpy as np
import tensorflow as tf

from tf_simmim import evaluation

NAMES = ("cat", "dog", "cow")


def truth(*found):
    """Returns an image with (class, box), and room for another."""
    return {
        "boxes": np.array([*(box for _, box in found), [-1] * 4], np.float32),
        "box_classes": np.array([*(label for label, _ in found), -1]),
    }


def said(*found):
    """Likewise, of (class, box, confidence)."""
    return {
        "boxes": np.array([*(each[1] for each in found), [-1] * 4], np.float32),
        "classes": np.array([*(each[0] for each in found), -1]),
        "confidence": np.array([*(each[2] for each in found), -1.0]),
    }


LEFT, RIGHT = [10, 10, 30, 50], [10, 60, 40, 90]
MOST_OF_LEFT = [10, 10, 30, 37]  # overlaps it by 27 / 40 = 0.675


class DetectionReportTest(tf.test.TestCase):
    def test_all_found_and_nothing_else_is_a_score_of_one(self):
        report = evaluation.detection_report(
            [truth((0, LEFT), (1, RIGHT)), truth()],
            [said((1, RIGHT, 0.3), (0, LEFT, 0.9)), said()],
            NAMES,
        )
        found = report.to_json()
        for name in ("mean_average_precision", "ap_50", "ap_75", "recall"):
            self.assertAllClose(found[name], 1.0, msg=name)
        self.assertEqual((found["num_images"], found["num_objects"]), (2, 2))
        # A class that does not occur counts for nothing.
        self.assertEqual(
            found["classes"][2],
            {
                "name": "cow",
                "objects": 0,
                "ap": None,
                "ap_50": None,
                "ap_75": None,
                "recall": None,
            },
        )

    def test_overlaps_count_as_coco_counts_them(self):
        report = evaluation.detection_report(
            [truth((0, LEFT))], [said((0, MOST_OF_LEFT, 0.9))], NAMES
        )
        found = report.to_json()
        # Right at the overlaps 0.50, 0.55, 0.60 and 0.65 of ten.
        self.assertAllClose(found["mean_average_precision"], 0.4)
        self.assertAllClose((found["ap_50"], found["ap_75"]), (1.0, 0.0))
        self.assertAllClose(found["recall"], 0.4)

    def test_a_wrong_detection_that_is_surer_costs_precision(self):
        report = evaluation.detection_report(
            [truth((0, LEFT)), truth((0, RIGHT))],
            [
                said((0, LEFT, 0.9), (0, [50, 50, 60, 60], 0.8)),
                said((0, RIGHT, 0.7)),
            ],
            NAMES,
        )
        # Precision 1 up to half of them, 2/3 up to all: 51 and 50 of 101.
        want = (51 * 1 + 50 * 2 / 3) / 101
        self.assertAllClose(report.to_json()["mean_average_precision"], want)

    def test_objects_of_an_image_without_detections_are_missed(self):
        report = evaluation.detection_report(
            [truth((0, LEFT)), truth((0, RIGHT))],
            [said((0, LEFT, 0.9)), said()],
            NAMES,
        )
        found = report.to_json()
        self.assertAllClose(found["recall"], 0.5)
        self.assertAllClose(found["mean_average_precision"], 51 / 101)

    def test_no_detections_at_all_are_a_score_of_zero(self):
        report = evaluation.detection_report(
            [truth((2, LEFT))], [said()], NAMES
        )
        self.assertEqual(report.to_json()["mean_average_precision"], 0.0)
        self.assertEqual(report.per_class()[2]["recall"], 0.0)

    def test_no_objects_at_all_are_no_score(self):
        report = evaluation.detection_report(
            [truth()], [said((0, LEFT, 0.9))], NAMES
        )
        self.assertIsNone(report.to_json()["mean_average_precision"])

    def test_the_wrong_class_is_wrong(self):
        report = evaluation.detection_report(
            [truth((0, LEFT), (1, RIGHT))],
            [said((1, LEFT, 0.9), (1, RIGHT, 0.8))],
            NAMES,
        )
        cat, dog, _ = report.per_class()
        self.assertAllClose((cat["ap"], dog["ap"]), (0.0, 0.5))
        lines = report.table().splitlines()
        self.assertEqual(
            [line.split()[0] for line in lines][1:], ["cat", "dog"]
        )
        self.assertIn("0.500", lines[2])

    def test_what_does_not_fit_is_refused(self):
        with self.assertRaisesRegex(ValueError, "the same images"):
            evaluation.detection_report([truth()], [], NAMES)
        with self.assertRaisesRegex(ValueError, "`classes` must be below 3"):
            evaluation.detection_report(
                [truth()], [said((3, LEFT, 0.5))], NAMES
            )


if __name__ == "__main__":
    tf.test.main()
