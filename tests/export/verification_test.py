"""Tests for tf_simmim.export.verification.

In this process XLA stays on; tests/integration/export_test.py runs the
program, which switches it off.
"""

import json
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.export import planted
from tests.export import tiny
from tf_simmim import export
from tf_simmim.export import batching
from tf_simmim.export import prediction_logs


class VerificationTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        temporary = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, temporary)
        cls.good = pathlib.Path(temporary) / "1"
        planted.save(cls.good, more={"features": planted.Served.doubled})

    def folder(self):
        return tiny.new_folder(self) / "1"

    def copy(self):
        """Returns the path of a copy of a good export."""
        return pathlib.Path(shutil.copytree(self.good, self.folder()))

    def checks(self, folder):
        checks = list(export.verify_export(folder, disable_xla=False))
        return {check.name: check for check in checks}

    def failed(self, folder):
        checks = self.checks(folder)
        return {n: c.problems for n, c in checks.items() if not c.passed}

    def test_a_good_export_passes_every_check(self):
        checks = self.checks(self.good)
        self.assertEqual([c for c in checks.values() if not c.passed], [])
        self.assertFalse(any(check.skipped for check in checks.values()))
        self.assertContainsSubset(
            {
                *("manifest", "signatures", "types", "batch dimension"),
                *("no XLA", "operations", "warm-up file", "session"),
                *("request 0, serving_default", "request 1, features"),
                *("batching parameters", "every signature is warmed up"),
            },
            checks,
        )
        self.assertIn("batch of 2", checks["request 1, features"].detail)

    @parameterized.parameters(
        (planted.compiled, "no XLA"),
        (planted.without_batch, "batch dimension"),
        (planted.bfloat16, "types"),
    )
    def test_a_graph_with_a_fault_is_refused_and_not_run(self, function, name):
        folder = planted.save(self.folder(), function)
        checks = self.checks(folder)
        self.assertEqual(
            [c.name for c in checks.values() if not c.passed], [name]
        )
        self.assertTrue(checks["session"].skipped)

    def test_a_graph_that_writes_a_file_is_refused_and_writes_none(self):
        file = tiny.new_folder(self) / "written"
        folder = planted.save(self.folder(), planted.writing(file))
        failed = self.failed(folder)
        self.assertEqual(list(failed), ["operations"])
        self.assertIn("WriteFile", failed["operations"][0])
        self.assertFalse(file.exists())

    @parameterized.parameters(30, -1, 12)
    def test_a_damaged_warm_up_file_is_refused(self, place):
        folder = self.copy()
        file = prediction_logs.file_of(folder)
        content = bytearray(file.read_bytes())
        content[place] ^= 1
        file.write_bytes(content)
        self.assertIn("other content", str(self.failed(folder)["manifest"]))
        # The hash apart, since a file can be written wrong.
        planted.write_manifest(folder)
        (problem,) = self.failed(folder)["warm-up file"]
        self.assertIn("cannot be read", problem)

    def test_a_cut_an_empty_and_a_missing_warm_up_file_are_refused(self):
        folder = self.copy()
        file = prediction_logs.file_of(folder)
        whole = file.read_bytes()
        for content in (whole[:-3], b"", None):
            file.unlink()
            if content is not None:
                file.write_bytes(content)
            planted.write_manifest(folder)
            self.assertEqual(list(self.failed(folder)), ["warm-up file"])
            file.touch()

    @parameterized.parameters(
        ([[0, 2, 4], [6, 8, 10.1]], "features is .* times the tolerance"),
        ([[0, 2, 4], [6, 8, np.nan]], "nan times the tolerance"),
        ([[0, 2, 4]], r"features is float32 \(2, 3\) instead of"),
    )
    def test_an_answer_that_is_not_the_eager_one_is_named(self, want, message):
        folder = self.copy()
        logs = [
            planted.log("serving_default"),
            planted.log("features", np.float32(want)),
        ]
        prediction_logs.write(folder, logs)
        planted.write_manifest(folder)
        failed = self.failed(folder)
        self.assertEqual(list(failed), ["request 1, features"])
        self.assertRegex(failed["request 1, features"][0], message)

    def test_a_request_that_the_graph_refuses_is_named(self):
        folder = self.copy()
        three = np.zeros([2, 4], np.float32)
        logs = [
            prediction_logs.predict_log("features", {"pixels": three}, {}),
            prediction_logs.predict_log("features", {"files": three}, {}),
            prediction_logs.predict_log("nothing", {"pixels": three}, {}),
        ]
        prediction_logs.write(folder, logs)
        planted.write_manifest(folder)
        failed = self.failed(folder)
        self.assertIn("shape", failed["request 0, features"][0])
        self.assertIn("['pixels']. Received", failed["request 1, features"][0])
        self.assertIn("must be one of", failed["request 2, nothing"][0])
        self.assertIn(
            "serving_default", failed["every signature is warmed up"][0]
        )

    def test_files_that_are_not_as_written_are_named(self):
        folder = self.copy()
        (folder / "more").write_text("a")
        (folder / batching.FILE_NAME).write_text("max_batch_size { value: 4 }")
        (folder / "fingerprint.pb").unlink(missing_ok=True)
        problems = self.failed(folder)["manifest"]
        self.assertIn("more is not in it", problems)
        self.assertIn(
            f"{batching.FILE_NAME} has other content than was written", problems
        )
        self.assertIn("fingerprint.pb is missing", problems)

    def test_a_record_whose_tensor_is_none_is_named(self):
        for kind in ("request", "response"):
            folder = self.copy()
            logs = prediction_logs.read(folder)
            message = getattr(logs[1].predict_log, kind)
            tensors = message.inputs if kind == "request" else message.outputs
            for tensor in tensors.values():
                tensor.tensor_content = b"four"
            prediction_logs.write(folder, logs)
            planted.write_manifest(folder)
            failed = self.failed(folder)
            self.assertEqual(list(failed), ["warm-up file"])
            (problem,) = failed["warm-up file"]
            self.assertRegex(problem, "^record 1 .* has a tensor that is none")
            shutil.rmtree(folder)

    def test_an_answer_without_a_batch_dimension_is_named(self):
        folder = self.copy()
        logs = prediction_logs.read(folder)
        for tensor in logs[1].predict_log.response.outputs.values():
            tensor.CopyFrom(tf.make_tensor_proto(1.0))
        prediction_logs.write(folder, logs)
        planted.write_manifest(folder)
        failed = self.failed(folder)
        self.assertEqual(
            failed["request 1, features"],
            ("its answer has no batch dimension",),
        )

    @parameterized.parameters(
        "{",
        "[]",
        '{"format": "another"}',
        '{"format": "tf_simmim export", "format_version": 1, "files": []}',
    )
    def test_a_manifest_of_another_kind_is_refused(self, text):
        folder = self.copy()
        (folder / "manifest.json").write_text(text)
        (problem,) = self.failed(folder)["manifest"]
        self.assertIn("manifest.json cannot be read", problem)

    def test_a_manifest_without_a_tolerance_is_refused(self):
        folder = self.copy()
        content = json.loads((folder / "manifest.json").read_text())
        del content["tolerance"]
        (folder / "manifest.json").write_text(json.dumps(content))
        self.assertEqual(list(self.failed(folder)), ["manifest"])

    def test_an_empty_folder_fails_without_an_exception(self):
        failed = self.failed(tiny.new_folder(self))
        self.assertEqual(
            list(failed), ["manifest", "batching parameters", "graph"]
        )

    def test_a_check_is_one_line_whatever_is_in_it(self):
        check = export.Check("types", ("a\nb\x1b[2J", "c"))
        self.assertEqual(check.line(), r"FAIL types: a\nb\x1b[2J; c")
        self.assertEqual(export.Check("a", detail="2").line(), "ok   a: 2")
        self.assertEqual(export.Check("a", skipped=True).line(), "skip a")


if __name__ == "__main__":
    tf.test.main()
