"""Tests for tf_simmim.compression.report_file."""

import json
import pathlib
import tempfile

import tensorflow as tf
from absl.testing import parameterized

from tests.compression import reports
from tf_simmim.compression import report_file


class ReportFileTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        self.file = self.folder / "compression.json"

    def test_a_report_is_read_as_it_was_written(self):
        for changes in ({}, {"selection": None, "seed": None}):
            report = reports.report(**changes)
            report_file.write_report(self.folder, report)
            self.assertEqual(report_file.read_report(self.folder), report)
        self.assertEqual(
            [p.name for p in self.folder.iterdir()], [self.file.name]
        )

    def test_numbers_that_are_not_finite_are_not_written(self):
        bad = reports.measurement(scores={"accuracy": float("nan")})
        with self.assertRaises(ValueError):
            report_file.write_report(self.folder, reports.report(original=bad))
        self.assertEqual(list(self.folder.iterdir()), [])

    @parameterized.parameters(
        (("schema",), 2, "`schema` must be 1"),
        (("format",), "other", "`format`"),
        (("step",), 5, "`step` must be text"),
        (("num_images",), 1.5, "`num_images`"),
        (("seed",), "a", "`seed`"),
        (("settings",), [], "`settings` must be an object"),
        (("selection",), 7, "`selection`"),
        (("original", "flops"), -1, "`original.flops`"),
        (("original", "scores"), {"accuracy": "high"}, "scores.accuracy"),
        (("compressed", "latency"), [{}], "`compressed.latency`"),
        (("compressed", "blocks"), [{"mlp_dim": 3}], "`compressed.blocks`"),
        (("compressed", "peak_memory"), "much", "peak_memory"),
        (("agreement", "kl"), None, "`agreement.kl` must be a number"),
        (("agreement", "cka"), "1", "`agreement.cka`"),
        (("more",), 1, "`report` must be an object with the fields"),
    )
    def test_a_field_that_is_wrong_is_named(self, path, value, message):
        report_file.write_report(self.folder, reports.report())
        document = json.loads(self.file.read_text())
        place = document
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        self.file.write_text(json.dumps(document))
        with self.assertRaisesRegex(ValueError, message):
            report_file.read_report(self.folder)

    @parameterized.parameters(
        ("{", "it is not JSON"),
        ("[]", "`report` must be an object"),
        ('{"schema": NaN}', "must be finite"),
    )
    def test_another_file_is_refused_in_a_sentence(self, text, message):
        self.file.write_text(text)
        with self.assertRaisesRegex(ValueError, f"compression.json.*{message}"):
            report_file.read_report(self.folder)

    def test_no_file_is_refused(self):
        with self.assertRaisesRegex(ValueError, "No such file"):
            report_file.read_report(self.folder)


if __name__ == "__main__":
    tf.test.main()
