"""Tests for tf_simmim.export.signatures."""

import io

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tests.export import tiny
from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import evaluation
from tf_simmim import export
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import randomness

H, W = tiny.H, tiny.W


def signatures_of(model):
    return export.Signatures(model, tiny.preprocessing(model))


def images_of(signatures, files):
    """Returns what the evaluation pipeline makes of files, one by one."""
    read = signatures.preprocessing
    images = [
        read.crop(data.sources.decoding.decode(each, read.channels, ["a"]))
        for each in files
    ]
    return read.normalization.normalize(tf.stack(images))


def pictures(files):
    """Returns uint8 [B, H, W, ...] of PNG files."""
    files = files.numpy()
    return np.stack([np.array(Image.open(io.BytesIO(file))) for file in files])


class FeaturesTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.named_parameters(
        ("vit", tiny.vit, 1),
        ("vit_in_colour", tiny.vit, 3),
        ("swin", tiny.swin, 3),
    )
    def test_features_are_those_of_the_backbone(self, create, channels):
        model = tiny.simmim(create(channels))
        signatures = signatures_of(model)
        files = tiny.files()
        images = images_of(signatures, files)
        want = model.backbone(images)
        width = want.shape[-1]
        self.assertAllClose(
            signatures.features(files)["features"],
            tf.reduce_mean(want, axis=[1, 2]),
            atol=1e-6,
        )
        tokens = signatures.features_tokens(files)["tokens"]
        self.assertAllClose(tokens, tf.reshape(want, [3, -1, width]), atol=1e-6)
        pixels = signatures.preprocessing.to_pixels(images)
        self.assertAllClose(
            signatures.features_from_pixels(pixels)["features"],
            tf.reduce_mean(want, axis=[1, 2]),
            atol=1e-5,
        )

    def test_they_are_what_evaluation_measures_of_the_last_block(self):
        model = tiny.simmim(tiny.swin())
        signatures = signatures_of(model)
        files = tiny.files()
        elements = tf.data.Dataset.from_tensor_slices(
            {"image": images_of(signatures, files), "label": [0, 1, 2]}
        )
        block = model.backbone.num_blocks - 1
        want, _ = evaluation.extract_features(
            model.backbone, elements.batch(2), [block]
        )
        got = signatures.features(files)["features"]
        self.assertAllClose(got, want[block], atol=1e-6)

    def test_those_of_a_classifier_are_what_its_linear_layer_sees(self):
        model = tiny.classifier()
        signatures = signatures_of(model)
        files = tiny.files()
        got = signatures.features(files)["features"]
        self.assertAllClose(
            model.head.linear(got),
            model(images_of(signatures, files)),
            atol=1e-5,
        )

    def test_images_that_are_no_files_have_pixels_alone(self):
        backbone = tiny.vit(channels=5)
        crop = data.ResizeAndCentreCrop((H, W))
        normalization = data.Normalization([0.5] * 5, [0.2] * 5)
        read = export.Preprocessing(crop, normalization)
        signatures = export.Signatures(tiny.simmim(backbone), read)
        self.assertEqual(list(signatures.functions()), [signatures.default])
        self.assertEqual(signatures.default, "features_from_pixels")

    def test_images_of_another_size_are_refused(self):
        read = export.Preprocessing(
            data.ResizeAndCentreCrop((W, H)), tiny.normalization()
        )
        with self.assertRaisesRegex(ValueError, r"16, 24.*Received: \(24, 16"):
            export.Signatures(tiny.simmim(), read)


class ReconstructionTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.named_parameters(
        ("vit", tiny.vit, 3, "pixels"),
        ("grey", tiny.vit, 1, "patch_normalized"),
        ("swin", tiny.swin, 3, "window_normalized"),
    )
    def test_it_is_that_of_the_model_in_pixels(self, create, channels, target):
        model = tiny.simmim(create(channels), target=target)
        signatures = signatures_of(model)
        files = tiny.files()
        mask = model.random_mask.sample_batch(tf.constant([3, 4]), 3)
        images = images_of(signatures, files)
        want = model.reconstruct(images, mask)["reconstruction"]
        # All that is not 0 hides.
        got = signatures.reconstruct(files, -2 * mask)
        std, mean = (
            np.float32(getattr(signatures.preprocessing.normalization, name))
            for name in ("std", "mean")
        )
        self.assertAllClose(
            got["reconstruction"], 255 * (want * std + mean), atol=1e-3
        )
        errors = evaluation.reconstruction_errors(
            images, mask, want, signatures.preprocessing.normalization
        )
        self.assertAllClose(got["masked_l1"], errors["masked_l1"], atol=1e-5)

    def test_an_image_of_which_nothing_is_hidden_has_no_error(self):
        signatures = signatures_of(tiny.simmim())
        mask = tf.constant([[[0] * 3] * 2, [[1, 0, 0], [0, 1, 1]]])
        got = signatures.reconstruct(tiny.files(2), mask)["masked_l1"]
        self.assertEqual(got[0], 0.0)
        self.assertGreater(got[1], 0.0)

    def test_savings_of_training_change_nothing_that_is_served(self):
        # Its step encodes exactly as many patches as its own masks leave.
        backbone = tiny.vit(
            visible_only=True,
            relative_position="none",
            absolute_position="sincos",
        )
        model = tiny.simmim(backbone, head="cross_attention")
        signatures = signatures_of(model)
        files = tiny.files(2)
        masks = tf.constant(
            [[[1, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 0]]], tf.int32
        )
        got = signatures.reconstruct(files, masks)["reconstruction"]
        for i in range(2):
            want = model.reconstruct(
                images_of(signatures, files[i : i + 1]), masks[i : i + 1]
            )["reconstruction"]
            want = signatures.preprocessing.to_pixels(want)[0]
            self.assertAllClose(got[i], want, atol=1e-3)

    @parameterized.parameters(*masking.STRATEGIES)
    def test_a_seed_draws_its_mask_whatever_is_beside_it(self, strategy):
        model = tiny.simmim(mask_strategy=strategy)
        signatures = signatures_of(model)
        files = tiny.files()
        got = signatures.reconstruct_random(files, tf.constant([5, 0, 5]))
        self.assertAllEqual(got["patch_mask"][0], got["patch_mask"][2])
        seed = randomness.seed_for(5, randomness.MASK, 0)
        want = model.random_mask.sample(seed)
        self.assertAllEqual(got["patch_mask"][0], want)
        again = signatures.reconstruct(files, got["patch_mask"])
        for name, value in again.items():
            self.assertAllEqual(got[name], value)

    @parameterized.parameters(1, 3)
    def test_pictures_show_what_is_hidden_and_what_is_put_there(self, channels):
        model = tiny.simmim(tiny.vit(channels))
        signatures = signatures_of(model)
        files = tiny.files(2)
        mask = tf.constant([[[1, 0, 0], [0, 1, 1]], [[0, 1, 0], [1, 0, 0]]])
        got = signatures.reconstruct_png(files, mask)
        normalize = signatures.preprocessing.normalization
        images = images_of(signatures, files)
        original = normalize.denormalize(images).numpy()
        prediction = normalize.denormalize(
            model.reconstruct(images, mask)["reconstruction"]
        ).numpy()
        hidden = masking.to_pixel_mask(mask, tiny.P).numpy()[..., None] == 1
        colour = np.uint8((128, 140, 165)[:channels])
        for name, want in (
            ("masked", np.where(hidden, colour, original)),
            ("reconstruction", prediction),
            ("composite", np.where(hidden, prediction, original)),
        ):
            found = pictures(got[f"{name}_png_bytes"])
            found = found.reshape(want.shape).astype(int)
            self.assertLessEqual(np.abs(found - want).max(), 1)


class ClassesTest(tf.test.TestCase, parameterized.TestCase):
    def example(self, contents):
        feature = tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[contents])
        )
        label = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
        features = {"image/encoded": feature, "image/class/label": label}
        return tf.train.Example(
            features=tf.train.Features(feature=features)
        ).SerializeToString()

    @parameterized.named_parameters(
        ("vit", lambda: tiny.vit(final_norm=False)), ("swin", tiny.swin)
    )
    def test_predictions_are_those_of_the_model(self, create):
        model = tiny.classifier(create())
        signatures = signatures_of(model)
        files = tiny.files()
        logits = model(images_of(signatures, files))
        got = signatures.predict(files)
        self.assertAllClose(got["logits"], logits, atol=1e-5)
        self.assertAllClose(got["probabilities"], tf.nn.softmax(logits))
        labels = np.argmax(logits, axis=1)
        self.assertAllEqual(got["label"], labels)
        names = [tiny.NAMES[label].encode() for label in labels]
        self.assertAllEqual(got["class_name"], names)

    def test_classify_takes_records_and_has_the_best_class_first(self):
        names = tuple("abcdefg")
        model = tiny.classifier(names=names)
        signatures = signatures_of(model)
        files = tiny.files()
        records = [self.example(each) for each in files.numpy()]
        got = signatures.classify(tf.constant(records))
        want = signatures.predict(files)["probabilities"].numpy()
        order = np.argsort(-want, axis=1)[:, :5]
        self.assertAllEqual(
            got["classes"],
            [[names[i].encode() for i in row] for row in order],
        )
        self.assertAllClose(
            got["scores"], np.take_along_axis(want, order, axis=1)
        )

    def test_classes_without_names_have_numbers(self):
        model = models.Classifier(tiny.vit(), 12)
        self.assertEqual(signatures_of(model).class_names()[10:], ["10", "11"])


class EdgesTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (tiny.simmim, "mixed_float16"),
        (tiny.classifier, "mixed_bfloat16"),
    )
    @pytest.mark.slow
    def test_floats_are_float32_under_every_precision(self, create, policy):
        model = create(tiny.vit(dtype=policy), dtype=policy)
        signatures = export.Signatures(
            model,
            tiny.preprocessing(model),
            lambda function: tf.function(function, autograph=False),
        )
        for name, function in signatures.functions().items():
            specs = signatures.input_specs(name)
            concrete = tf.function(
                function, input_signature=specs, autograph=False
            ).get_concrete_function()
            for output in tf.nest.flatten(concrete.structured_outputs):
                self.assertIn(
                    output.dtype, (tf.float32, tf.string, tf.int64, tf.int32)
                )
                self.assertIsNone(output.shape[0])
                self.assertNotIn(None, output.shape[1:].as_list())

    def test_a_model_has_what_it_can_answer(self):
        of_all = {"features", "features_tokens", "features_from_pixels"}
        for model, more in (
            (
                tiny.simmim(),
                {"reconstruct", "reconstruct_random", "reconstruct_png"},
            ),
            (tiny.classifier(), {"predict", "classify"}),
            (models.Segmenter(tiny.vit(), 4, width=8), set()),
        ):
            signatures = signatures_of(model)
            self.assertEqual(set(signatures.functions()), of_all | more)
            self.assertEqual(signatures.default, "features")

    def test_what_is_shared_is_put_into_functions(self):
        model = tiny.simmim(backbones.ViT((H, W), 8, 12, 1, 3))
        made = []

        def function(run):
            made.append(run)
            return tf.function(run, autograph=False)

        shared = export.Signatures(model, tiny.preprocessing(model), function)
        files = tiny.files()
        self.assertAllClose(
            shared.features(files)["features"],
            signatures_of(model).features(files)["features"],
            atol=1e-5,
        )
        self.assertLen(made, 5)


if __name__ == "__main__":
    tf.test.main()
