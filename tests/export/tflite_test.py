"""Tests for tf_simmim.export.tflite."""

import json
import shutil
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.export import tiny
from tf_simmim import backbones
from tf_simmim import export
from tf_simmim.export import manifest as manifests
from tf_simmim.export import tflite

# A device has these, whatever it was built with.
_FLEX = "Flex"
# Of 16 bits: 11 of mantissa. Of 8: measured, 3e-3 to 1e-2 for random weights.
_TOLERANCES = {"float32": 1e-6, "float16": 2e-3, "int8": 3e-2}


def make(name):
    if name == "classifier":
        return tiny.classifier(tiny.vit(channels=1, final_norm=False))
    return tiny.simmim(tiny.swin() if name == "swin" else tiny.vit())


class TFLiteTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        # Wide enough for weights in 8 bits.
        backbone = backbones.ViT(
            (tiny.H, tiny.W), tiny.P, embed_dim=24, depth=2, num_heads=3
        )
        cls.model = tiny.simmim(backbone)
        cls.folder = export.write_export(
            cls.directory,
            cls.model,
            tiny.preprocessing(cls.model),
            max_batch_size=2,
            verify=False,
            tflite=True,
        )
        cls.manifest = manifests.read(cls.folder)

    def test_each_size_gives_the_features_of_eager_mode(self):
        self.check_each_size(self.folder, self.model)

    @parameterized.parameters("swin", "classifier")
    @pytest.mark.slow
    def test_other_models_have_the_same_features(self, name):
        model = make(name)
        folder = tiny.new_folder(self)
        described = tflite.write(
            folder, export.Signatures(model, tiny.preprocessing(model))
        )
        self.assertEqual(set(described), set(_TOLERANCES))
        self.check_each_size(folder, model)

    def check_each_size(self, folder, model):
        """Runs files as a device does, on pixels of files it has decoded."""
        preprocessing = tiny.preprocessing(model)
        signatures = export.Signatures(model, preprocessing)
        image_bytes = tiny.files(3)
        want = signatures.features(image_bytes)["features"].numpy()
        pixels = preprocessing.decode(image_bytes).numpy()  # [3, H, W, C]
        for kind, tolerance in _TOLERANCES.items():
            file = folder / f"tflite/features_{kind}.tflite"
            interpreter = tf.lite.Interpreter(model_path=str(file))
            runner = interpreter.get_signature_runner()
            (spec,) = runner.get_input_details().values()
            self.assertAllEqual(spec["shape"], [1, *pixels.shape[1:]])
            self.assertEqual(spec["dtype"], np.float32)
            got = [runner(pixels=p[np.newaxis])["features"] for p in pixels]
            got = np.concatenate(got)
            self.assertEqual(got.dtype, np.float32)
            largest = np.abs(want).max()
            self.assertAllClose(
                got / largest, want / largest, rtol=0, atol=tolerance
            )
            self.assertAllEqual(tflite.run(file.read_bytes(), pixels), got)
            content = file.read_bytes()
            self.assertNotIn(_FLEX.encode(), content)

    def test_the_manifest_says_how_large_and_how_far_each_is(self):
        told = self.manifest["tflite"]
        self.assertEqual(list(told), sorted(_TOLERANCES))
        signatures = export.Signatures(
            self.model, tiny.preprocessing(self.model)
        )
        pixels = tflite.pictures(signatures.preprocessing)
        self.assertEqual(pixels.shape, (4, tiny.H, tiny.W, 3))
        want = signatures.features_from_pixels(pixels)["features"].numpy()
        for kind, small in told.items():
            file = self.folder / small["file"]
            self.assertEqual(small["bytes"], file.stat().st_size)
            self.assertIn(small["file"], self.manifest["files"])
            got = tflite.run(file.read_bytes(), pixels)
            distance = np.abs(got - want).max() / np.abs(want).max()
            self.assertAllClose(small["difference"], distance, atol=1e-6)
            self.assertLess(small["difference"], _TOLERANCES[kind])
            self.assertGreater(small["cosine"], 0.999)
            self.assertLess(small["cosine"], 1.000001)
        # Smaller ones are smaller, and further away.
        for key, order in (
            ("bytes", ("int8", "float16", "float32")),
            ("difference", ("float32", "float16", "int8")),
        ):
            values = [told[kind][key] for kind in order]
            self.assertEqual(values, sorted(values))

    @pytest.mark.slow
    def test_the_verifier_runs_each_and_finds_one_of_other_weights(self):
        checks = list(export.verify_export(self.folder, disable_xla=False))
        self.assertEqual([c.line() for c in checks if not c.passed], [])
        found = [c for c in checks if c.name.startswith("TensorFlow Lite")]
        self.assertLen(found, 3)
        pixels = tflite.pictures(tiny.preprocessing(self.model))[:2]
        want = np.ones([2, 24], np.float32)
        checks = tflite.checks(self.folder, self.manifest, pixels, want)
        for check in checks:
            self.assertFalse(check.passed)
            self.assertIn("of the largest feature", check.line())

    def test_a_file_that_is_none_is_a_line_of_the_verifier(self):
        folder = tiny.new_folder(self)
        (folder / "a.tflite").write_bytes(b"TFL3 no more")
        content = {
            "tflite": {
                "int8": {"file": "a.tflite", "difference": 1.0},
                "float16": {"file": "b.tflite", "difference": 1.0},
                "float32": {"difference": 1.0},
            }
        }
        pixels = np.zeros([1, tiny.H, tiny.W, 3], np.float32)
        checks = list(tflite.checks(folder, content, pixels, pixels[0, 0]))
        self.assertEqual([check.passed for check in checks], [False] * 3)

    def test_sixteen_bits_are_refused_before_anything_is_written(self):
        model = tiny.simmim(tiny.vit(dtype="mixed_bfloat16"))
        folder = tiny.new_folder(self)
        with self.assertRaisesRegex(ValueError, "`tflite`.*float32.*bfloat16"):
            export.write_export(
                folder, model, tiny.preprocessing(model), tflite=True
            )
        self.assertEqual(list(folder.iterdir()), [])

    def test_an_export_without_them_says_so(self):
        manifest = json.loads((self.folder / "manifest.json").read_text())
        manifest["tflite"] = {}
        self.assertEqual(
            list(tflite.checks(self.folder, manifest, None, None)), []
        )


if __name__ == "__main__":
    tf.test.main()
