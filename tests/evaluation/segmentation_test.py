"""Tests for tf_simmim.evaluation.segmentation."""

import numpy as np
import tensorflow as tf

from tf_simmim import evaluation

COUNTS = np.array([[5, 1, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
NAMES = ("sky", "tree", "car", "road")


class SegmentationReportTest(tf.test.TestCase):
    def test_scores_are_those_worked_out_by_hand(self):
        report = evaluation.SegmentationReport(NAMES, COUNTS).to_json()
        self.assertEqual(report["num_pixels"], 11)
        self.assertAllClose(report["accuracy"], 7 / 11)
        ious = [row["iou"] for row in report["classes"]]
        self.assertIsNone(ious[2])  # there is no car, nor was one seen
        self.assertAllClose([*ious[:2], ious[3]], [5 / 9, 2 / 5, 0.0])
        self.assertAllClose(report["mean_iou"], (5 / 9 + 2 / 5 + 0) / 3)
        tree, road = report["classes"][1], report["classes"][3]
        self.assertAllClose((tree["recall"], tree["precision"]), (2 / 4, 2 / 3))
        self.assertEqual((road["recall"], road["precision"]), (0.0, None))
        self.assertEqual(report["counts"], COUNTS.tolist())

    def test_the_table_has_the_worst_first_and_leaves_out_what_is_nowhere(self):
        lines = evaluation.SegmentationReport(NAMES, COUNTS).table()
        names = [line.split()[0] for line in lines.splitlines()]
        self.assertEqual(names, ["class", "road", "tree", "sky"])
        self.assertRegex(lines, r"road +1  0\.000   0\.000 +-")

    def test_the_summary_says_both_scores_or_why_there_is_none(self):
        report = evaluation.SegmentationReport(NAMES, COUNTS)
        self.assertEqual(
            report.summary(), "mean IoU 0.3185, pixel accuracy 0.6364"
        )
        report = evaluation.SegmentationReport(NAMES, 0 * COUNTS)
        self.assertEqual(report.summary(), "no pixel has a class")
        self.assertStartsWith(report.table(), "class")

    def test_another_number_of_names_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"3 class names.*\(4, 4\)"):
            evaluation.SegmentationReport(NAMES[:3], COUNTS)


if __name__ == "__main__":
    tf.test.main()
