"""Tests for tf_simmim.export.tflite_conversion, options and network."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.export import tiny
from tf_simmim import export
from tf_simmim import models
from tf_simmim.compression import comparison
from tf_simmim.compression import network
from tf_simmim.export import tflite
from tf_simmim.export import tflite_conversion
from tf_simmim.export import tflite_network


def signatures(model):
    return export.Signatures(model, tiny.preprocessing(model))


def pixels(count, seed=0):
    rng = np.random.default_rng(seed)
    shape = [count, tiny.H, tiny.W, 3]
    return rng.uniform(0, 255, shape).astype(np.float32)


def operations(content):
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_op_resolver_type=(
            tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
    )
    details = interpreter._get_ops_details()
    tensors = {d["index"]: d["dtype"] for d in interpreter.get_tensor_details()}
    return collections.Counter(
        (d["op_name"], np.dtype(tensors[d["outputs"][0]]).name) for d in details
    )


class TFLiteConversionTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = tiny.classifier()
        cls.signatures = signatures(cls.model)
        cls.pixels = pixels(5)
        images = cls.signatures.preprocessing.normalize(cls.pixels)
        cls.want = cls.model(images, training=False).numpy()

    def check(self, content, tolerance):
        got = tflite.run(content, self.pixels)
        self.assertEqual(got.shape, (5, 3))
        self.assertEqual(got.dtype, np.float32)
        scale = np.abs(self.want).max()
        self.assertAllClose(got / scale, self.want / scale, 0, tolerance)
        self.assertNotIn(b"Flex", content)

    def test_logits_of_any_batch_are_those_of_the_model(self):
        for batch_size in (1, 2):  # 5 images: the last batch is not full
            function = tflite_conversion.graph(
                self.signatures, "logits", batch_size
            )
            self.check(tflite_conversion.convert(function, "float32"), 1e-6)

    def test_full_int8_keeps_norms_softmaxes_and_sums_in_float(self):
        function = tflite_conversion.graph(self.signatures, "logits", 2)
        content = tflite_conversion.convert(
            function, "full_int8", calibration=pixels(7, seed=1)
        )
        self.check(content, 0.05)
        found = operations(content)
        for name in ("ADD", "MUL", "RSQRT", "SOFTMAX"):
            self.assertGreater(found[name, "float32"], 0)
            self.assertEqual(found[name, "int8"], 0)
        self.assertGreater(found["FULLY_CONNECTED", "int8"], 0)
        self.assertEqual(found["FULLY_CONNECTED", "float32"], 0)

    def test_input_in_int8_makes_everything_int8(self):
        function = tflite_conversion.graph(self.signatures, "logits", 1)
        content = tflite_conversion.convert(
            function,
            "full_int8",
            calibration=pixels(100, seed=1),
            input_type="int8",
        )
        self.check(content, 0.1)
        (spec,) = (
            tf.lite.Interpreter(model_content=content)
            .get_signature_runner()
            .get_input_details()
            .values()
        )
        self.assertEqual(spec["dtype"], np.int8)
        self.assertEqual(operations(content)["SOFTMAX", "float32"], 0)

    @pytest.mark.slow
    def test_a_segmenter_gives_maps_of_logits(self):
        model = models.Segmenter(tiny.swin(), 3, width=5)
        function = tflite_conversion.graph(signatures(model), "logits", 2)
        content = tflite_conversion.convert(function, "float32")
        images = tiny.preprocessing(model).normalize(self.pixels)
        want = model(images, training=False)
        self.assertEqual(want.shape, (5, tiny.H, tiny.W, 3))
        got = tflite.run(content, self.pixels)
        self.assertAllClose(got, want, rtol=0, atol=1e-5)

    def test_a_report_measures_files_as_it_does_models(self):
        found, content = tflite_network.create(self.signatures, "float32")
        self.assertEqual(len(content), found.num_bytes)
        original = network.of_model(self.model)
        images = self.signatures.preprocessing.normalize(self.pixels).numpy()
        agreement, _, _ = comparison.compare(
            self.model, (original, found), [{"image": images}]
        )
        self.assertLess(agreement.kl, 1e-9)
        self.assertIsNone(agreement.cka)
        self.assertEqual(found.num_weights, original.num_weights)
        self.assertGreater(found.num_bytes, original.num_bytes)
        got = found.forward(images[:2])()
        self.assertAllClose(got, self.want[:2], rtol=0, atol=1e-4)
        self.assertEqual(tflite_network.output_of(tiny.simmim()), "features")

    @parameterized.parameters(
        ({"kind": "int4"}, "`kind` must be one of .*int4"),
        ({"kind": "full_int8"}, r"`calibration` must be images \[N, 16, 24, 3"),
        ({"input_type": "int8"}, "`input_type` must be float32.*int8 for flo"),
        ({"input_type": "int4"}, "`input_type` must be one of"),
        (
            {"kind": "full_int8", "calibration": np.zeros([4, 16, 24, 1])},
            r"`calibration`.*\(4, 16, 24, 1\)",
        ),
        (
            {
                "kind": "full_int8",
                "calibration": np.full([1, 16, 24, 3], np.nan),
            },
            "`calibration` must be finite",
        ),
    )
    def test_what_cannot_be_converted_is_refused(self, options, message):
        function = tflite_conversion.graph(self.signatures, "logits")
        with self.assertRaisesRegex(ValueError, message):
            tflite_conversion.convert(
                function, **{"kind": "float32", **options}
            )

    def test_outputs_that_there_are_not_are_refused(self):
        for model, arguments, message in (
            (tiny.simmim(), ("logits",), "logits of a classifier.*a SimMIM"),
            (tiny.classifier(), ("boxes",), "`output` must be one of.*boxes"),
            (tiny.classifier(), ("logits", 0), "`batch_size` must be positive"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                tflite_conversion.graph(signatures(model), *arguments)
        with self.assertRaisesRegex(ValueError, "`kinds` can have full_int8"):
            export.TFLiteOptions(kinds=("full_int8",))
        with self.assertRaisesRegex(ValueError, "`outputs` must be some of"):
            export.TFLiteOptions(outputs=())

    def test_an_export_has_files_of_all_that_is_asked_for(self):
        folder = tiny.new_folder(self)
        options = export.TFLiteOptions(
            kinds=("float32", "full_int8"),
            outputs=("features", "logits"),
            batch_size=2,
            calibration=pixels(3, seed=1),
        )
        told = tflite.write(folder, self.signatures, options)
        self.assertEqual(
            sorted(told),
            ["float32", "full_int8", "logits_float32", "logits_full_int8"],
        )
        small = told["logits_full_int8"]
        self.assertEqual(small["file"], "tflite/logits_full_int8.tflite")
        self.assertEqual((small["batch_size"], small["output"]), (2, "logits"))
        self.assertBetween(small["calibration_difference"], 1e-4, 0.2)
        self.assertGreater(small["milliseconds"], 0)
        given = tflite.pictures(self.signatures.preprocessing)
        want = self.signatures.features_from_pixels(given)["features"].numpy()
        checks = list(tflite.checks(folder, {"tflite": told}, given, want))
        self.assertEqual([c.line() for c in checks if not c.passed], [])
        self.assertLen(checks, 4)


if __name__ == "__main__":
    tf.test.main()
