"""Tests for tf_simmim.export.writer."""

import json
import shutil
import tempfile
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.export import tiny
from tf_simmim import export
from tf_simmim.export import prediction_logs
from tf_simmim.export import writer


def write(directory, model, **options):
    return export.write_export(
        directory, model, tiny.preprocessing(model), verify=False, **options
    )


def failed(folder):
    checks = export.verify_export(folder, disable_xla=False)
    return [check.line() for check in checks if not check.passed]


class WriterTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.model = tiny.simmim()
        # A run that XLA compiles is exported all the same.
        cls.model.compile("sgd", jit_compile=True)
        cls.folder = write(
            cls.directory, cls.model, facts={"run": 5}, max_batch_size=3
        )
        cls.served = export.ServedModel(cls.folder)
        cls.addClassCleanup(cls.served.close)

    def assert_served(self, served, model, names=None, size=3):
        """Compares what a session answers with eager mode."""
        signatures = export.Signatures(model, tiny.preprocessing(model))
        seeds = np.arange(size, dtype=np.int64)
        inputs = {
            "image_bytes": np.array(list(tiny.files(size).numpy()), object),
            "seed": seeds,
            "pixels": np.float32(
                [tiny.photo(i, (tiny.H, tiny.W)) for i in seeds]
            ),
        }
        channels = model.backbone.channels
        inputs["pixels"] = inputs["pixels"][..., :channels]
        if "reconstruct" in served.signatures:
            inputs["patch_mask"] = signatures.draw_masks(seeds).numpy()
        for name, function in signatures.functions().items():
            if name == "classify" or name not in (names or [name]):
                continue
            asked = {
                spec.name: inputs[spec.name]
                for spec in signatures.input_specs(name)
            }
            want = function(**{k: tf.constant(v) for k, v in asked.items()})
            got = served.run(name, asked)
            self.assertEqual(set(got), set(want))
            for alias, value in want.items():
                if value.dtype == tf.float32:
                    scale = max(1.0, np.abs(value).max())
                    self.assertAllClose(
                        got[alias] / scale, value / scale, rtol=0, atol=1e-5
                    )
                elif not alias.endswith("_png_bytes"):
                    self.assertAllEqual(got[alias], value)

    def test_an_export_passes_its_own_checks(self):
        self.assertEqual(failed(self.folder), [])
        logs = prediction_logs.read(self.folder)
        asked = [prediction_logs.request_of(log) for log in logs]
        sizes = [
            len(inputs["image_bytes"])
            for name, inputs in asked
            if name == "serving_default"
        ]
        self.assertEqual(sizes, [1, 2, 3])
        self.assertLen(logs, 3 + 6)

    def test_the_default_signature_is_one_of_the_others_to_a_session(self):
        served = self.served.signatures
        self.assertEqual(served["serving_default"], served["features"])
        self.assertNotEqual(
            served["features"], served["features_tokens"]
        )  # Nor is it every signature.

    @parameterized.parameters(1, 5)
    def test_a_session_answers_any_batch_as_eager_mode_does(self, size):
        names = ("features", "reconstruct_random")
        self.assert_served(self.served, self.model, names, size)

    def test_a_damaged_image_is_an_error_and_the_next_request_is_none(self):
        good, other = tiny.files(2).numpy()
        for bad in (good[:50], b"", b"<html>"):
            with self.assertRaises(tf.errors.InvalidArgumentError):
                inputs = np.array([other, bad], dtype=object)
                self.served.run("features", {"image_bytes": inputs})
            inputs = np.array([other, good], dtype=object)
            got = self.served.run("features", {"image_bytes": inputs})
            self.assertEqual(got["features"].shape, (2, 12))

    def test_the_manifest_says_what_it_is_and_takes(self):
        told = json.loads((self.folder / "manifest.json").read_text())
        self.assertEqual(told["run"], 5)
        self.assertEqual(told["version"], 1)
        self.assertEqual((told["model"], told["backbone"]), ("SimMIM", "ViT"))
        self.assertEqual(told["grid_size"], [2, 3])
        self.assertEqual(told["input"]["max_batch_size"], 3)
        self.assertEqual(told["packages"]["tensorflow"], tf.__version__)
        self.assertEqual(
            (told["precision"], told["tolerance"]), ("float32", 1e-5)
        )
        reconstruct = told["signatures"]["reconstruct"]
        self.assertEqual(
            reconstruct["inputs"],
            {
                "image_bytes": {"dtype": "string", "shape": [None]},
                "patch_mask": {"dtype": "int32", "shape": [None, 2, 3]},
            },
        )
        self.assertEqual(
            reconstruct["outputs"]["reconstruction"],
            {"dtype": "float32", "shape": [None, tiny.H, tiny.W, 3]},
        )
        self.assertIn("serving_default", told["signatures"])
        self.assertContainsSubset(
            {
                *("saved_model.pb", "variables/variables.index"),
                *("batching_params.pbtxt",),
                "assets.extra/tf_serving_warmup_requests",
            },
            told["files"],
        )

    def test_only_weights_that_are_used_are_in_it(self):
        names = tf.train.list_variables(
            str(self.folder / "variables/variables")
        )
        values = [shape for name, shape in names if "weights/" in name]
        wanted = [*self.model.backbone.weights, *self.model.head.weights]
        self.assertCountEqual(values, [list(w.shape) for w in wanted])

    @pytest.mark.slow
    def test_a_classifier_of_grey_images_passes_as_well(self):
        self.check(tiny.classifier(tiny.vit(channels=1, final_norm=False)))

    @pytest.mark.slow
    def test_a_swin_passes_as_well(self):
        self.check(tiny.simmim(tiny.swin(), target="patch_normalized"))

    def check(self, model):
        folder = write(tiny.new_folder(self), model, max_batch_size=2)
        self.assertEqual(failed(folder), [])
        served = export.ServedModel(folder)
        self.assert_served(served, model)
        served.close()

    @pytest.mark.slow
    def test_low_precision_is_served_in_float32(self):
        policy = "mixed_bfloat16"
        model = tiny.simmim(tiny.vit(dtype=policy), dtype=policy)
        folder = write(tiny.new_folder(self), model, max_batch_size=1)
        self.assertEqual(failed(folder), [])
        told = json.loads((folder / "manifest.json").read_text())
        self.assertEqual(told["precision"], "bfloat16")
        for signature in told["signatures"].values():
            for side in ("inputs", "outputs"):
                for spec in signature[side].values():
                    self.assertNotIn("bfloat16", spec["dtype"])

    def test_versions_go_up_and_none_is_written_twice(self):
        directory = tiny.new_folder(self)
        (directory / "7").mkdir()
        (directory / "notes").mkdir()
        with mock.patch.object(writer, "_write_graph", return_value={}):
            with mock.patch.object(
                writer.requests, "create_logs", return_value=[]
            ):
                first = self.write_nothing(directory)
                self.assertEqual(first.name, "8")
                second = self.write_nothing(directory, version=3)
                self.assertEqual(second.name, "3")
                for version in (3, 7, 0, "4"):
                    with self.assertRaisesRegex(
                        ValueError, r"`version`.*\[3, 7, 8\]"
                    ):
                        self.write_nothing(directory, version=version)

    def test_exports_at_a_time_get_numbers_of_their_own(self):
        directory = tiny.new_folder(self)
        others = iter([1, 2])

        def write_graph(*_):
            """Meanwhile two others are faster, and one leaves the field."""
            if next(others, None):
                self.write_nothing(directory)
            return {}

        with (
            mock.patch.object(writer, "_write_graph", write_graph),
            mock.patch.object(writer.requests, "create_logs", return_value=[]),
        ):
            last = self.write_nothing(directory)
            self.assertEqual(last, directory / "3")
            others = iter([1])
            with self.assertRaisesRegex(
                ValueError, r"`version`.*\[1, 2, 3, 4]"
            ):
                self.write_nothing(directory, version=4)
        self.assertCountEqual(
            [path.name for path in directory.iterdir()], ["1", "2", "3", "4"]
        )
        for path in directory.iterdir():
            told = json.loads((path / "manifest.json").read_text())
            self.assertEqual(told["version"], int(path.name))

    def write_nothing(self, directory, **options):
        return write(directory, self.model, **options)

    def test_what_fails_leaves_nothing(self):
        directory = tiny.new_folder(self)
        model = tiny.simmim()
        options = {"max_batch_size": 1, "verify": True}
        preprocessing = tiny.preprocessing(model)
        answer = (False, "FAIL types: b")
        with (
            mock.patch.object(
                writer.verification,
                "verify_in_new_process",
                return_value=answer,
            ),
            mock.patch.object(writer, "_write_graph", return_value={}),
            self.assertRaisesRegex(
                ValueError, "cannot be served.*\nFAIL types"
            ),
        ):
            export.write_export(directory, model, preprocessing, **options)
        model.backbone.weights[0].assign_add(
            tf.fill(model.backbone.weights[0].shape, np.nan)
        )
        with self.assertRaisesRegex(FloatingPointError, "is not finite"):
            export.write_export(directory, model, preprocessing, **options)
        self.assertEmpty(tf.io.gfile.listdir(directory))

    def test_an_impossible_batch_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`max_batch_size` must be 1"):
            write(self.directory, self.model, max_batch_size=0)


if __name__ == "__main__":
    tf.test.main()
