"""Tests for tf_simmim.evaluation.report."""

import json

import tensorflow as tf

from tf_simmim import evaluation

WANT = """\
accuracy, %                k-NN   1 label/class
pretrained, block 3   91.2 ±3.0*     50.0 ±10.0
pretrained, block 11  90.0 ±3.0      55.5 ±10.0*
untrained, block 3    70.0 ±3.0*     10.0 ±10.0*
untrained, block 11    5.0 ±3.0      10.0 ±10.0
raw pixels            97.5 ±3.0      20.0 ±10.0"""


def scores(knn, few):
    return {
        "knn": evaluation.Score(knn, knn - 0.04, knn + 0.02, {"num_images": 7}),
        "few_shot_1": evaluation.Score(few, few - 0.1, few + 0.1),
    }


class ReportTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.settings = evaluation.ProbeSettings(
            10, ("few_shot", "knn"), few_shot_labels=(1,), num_draws=9
        )
        self.report = evaluation.probe_report(
            {11: scores(0.9, 0.555), 3: scores(0.912, 0.5)},
            {3: scores(0.7, 0.1), 11: scores(0.05, 0.1)},
            scores(0.975, 0.2),
            self.settings,
        )

    def test_report_survives_json_with_its_blocks_in_order(self):
        copy = json.loads(json.dumps(self.report))
        self.assertEqual(copy, self.report)
        self.assertEqual(list(copy), ["knn", "few_shot_1"])
        knn = copy["knn"]
        self.assertEqual(list(knn["pretrained"]), ["3", "11"])
        self.assertEqual(knn["raw_pixels"]["accuracy"], 0.975)
        self.assertEqual(knn["untrained"]["3"]["num_images"], 7)

    def test_report_says_what_its_numbers_are(self):
        self.assertIn("20 nearest", self.report["knn"]["description"])
        words = self.report["few_shot_1"]["description"]
        self.assertIn("1 training images of each class", words)
        self.assertIn("9 draws", words)

    def test_table_has_a_row_per_block_and_a_column_per_protocol(self):
        self.assertEqual(evaluation.format_report(self.report), WANT)

    def test_a_block_on_its_own_is_not_the_best_of_any(self):
        one = scores(0.5, 0.5)
        report = evaluation.probe_report({3: one}, {3: one}, one, self.settings)
        self.assertNotIn("*", evaluation.format_report(report))

    def test_networks_with_other_blocks_are_refused(self):
        one = scores(0.1, 0.2)
        with self.assertRaisesRegex(ValueError, r"\[3\] and \[3, 11\]"):
            evaluation.probe_report(
                {3: one, 11: one}, {3: one}, one, self.settings
            )


if __name__ == "__main__":
    tf.test.main()
