"""Tests for tf_simmim.evaluation.report."""

import json

import tensorflow as tf

from tf_simmim import evaluation

WANT = """\
k-NN accuracy, %   block 3  block 11
pretrained            91.2     100.0
untrained             70.0       5.0
raw pixels            97.5"""


class ReportTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.report = evaluation.knn_report(
            {11: 1.0, 3: 0.912}, {3: 0.7, 11: 0.05}, 0.975
        )

    def test_report_survives_json_with_its_blocks_in_order(self):
        copy = json.loads(json.dumps(self.report))
        self.assertEqual(copy, self.report)
        self.assertEqual(list(copy["pretrained"]), ["3", "11"])
        self.assertEqual(copy["raw_pixels"], 0.975)

    def test_table_has_a_row_per_network_and_a_column_per_block(self):
        self.assertEqual(evaluation.format_report(self.report), WANT)

    def test_networks_with_other_blocks_are_refused(self):
        with self.assertRaisesRegex(ValueError, r"\[3\] and \[3, 11\]"):
            evaluation.knn_report({3: 0.1, 11: 0.2}, {3: 0.1}, 0.5)


if __name__ == "__main__":
    tf.test.main()
