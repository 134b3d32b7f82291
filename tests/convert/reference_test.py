"""Tests for tf_simmim.convert.reference.

Parity with the outputs of the reference is tested in tests/golden.
"""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import models

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "simmim_vit.npz"


def vit(**options):
    config = dict(embed_dim=12, depth=2, num_heads=3, channels=2)
    return backbones.ViT((32, 48), 16, **{**config, **options})


def randomize(model):
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))


class ReferenceWeightsTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(1)
        self.images = rng.normal(size=[2, 32, 48, 2]).astype(np.float32)
        self.mask = np.array([[[1, 0, 1], [0, 0, 1]], [[0, 1, 1], [1, 0, 0]]])

    def test_names_and_shapes_of_simmim_are_those_of_the_reference(self):
        with np.load(GOLDEN) as golden:
            want = {
                name.removeprefix("param/"): golden[name].shape
                for name in golden
                if name.startswith("param/")
            }
        backbone = backbones.ViT(96, 16, embed_dim=24, depth=3, num_heads=3)
        weights = convert.reference_weights(models.SimMIM(backbone))
        got = {name: array.shape for name, array in weights.items()}
        self.assertEqual(got, want)

    def test_round_trip_of_simmim_is_exact(self):
        source, target = (
            models.SimMIM(vit(), mask_patch_size=16) for _ in range(2)
        )
        randomize(source)
        convert.load_reference_weights(
            target, convert.reference_weights(source)
        )
        for got, want in zip(
            target.trainable_variables, source.trainable_variables, strict=True
        ):
            self.assertAllEqual(got, want)
        want = source.reconstruct(self.images, self.mask)
        got = target.reconstruct(self.images, self.mask)
        self.assertAllEqual(got["reconstruction"], want["reconstruction"])

    @parameterized.parameters(
        {},
        {"absolute_position": "learned", "relative_position": "per_block"},
        {"class_token": False, "relative_position": "none"},
        {"layer_scale_init": None, "qkv_bias": "none"},
    )
    def test_round_trip_of_a_backbone_is_exact(self, **options):
        source, target = vit(**options), vit(**options)
        randomize(source)
        weights = convert.reference_weights(source)
        self.assertIn("mask_token", weights)
        convert.load_reference_weights(target, weights)
        self.assertAllEqual(
            target(self.images, patch_mask=self.mask),
            source(self.images, patch_mask=self.mask),
        )

    def test_arrays_may_be_anything_that_numpy_reads(self):
        model = vit()
        weights = convert.reference_weights(model)
        weights["mask_token"] = [[[float(i) for i in range(12)]]]
        convert.load_reference_weights(model, weights)
        self.assertAllEqual(model.mask_token.mask_token[0, 0], range(12))

    @parameterized.parameters(
        ([[[None] * 12]], "dtype object"),
        ([[["1"] * 12]], "dtype <U1"),
        (tf.zeros([1, 1, 12]), "type EagerTensor"),
    )
    def test_what_is_no_array_of_numbers_is_refused(self, value, message):
        model = vit()
        before = model.get_weights()
        weights = {
            **{k: v + 1 for k, v in convert.reference_weights(model).items()},
            "mask_token": value,
        }
        with self.assertRaisesRegex(ValueError, f"mask_token of {message}"):
            convert.load_reference_weights(model, weights)
        for got, want in zip(model.get_weights(), before, strict=True):
            self.assertAllEqual(got, want)

    def test_a_path_is_not_opened(self):
        with self.assertRaisesRegex(ValueError, "not opened here.*: str"):
            convert.load_reference_weights(vit(), "weights.pth")

    def test_every_name_that_does_not_fit_is_listed_and_nothing_changes(self):
        model = vit()
        before = model.get_weights()
        weights = convert.reference_weights(model)
        weights = {name: array + 1 for name, array in weights.items()}
        del weights["norm.bias"], weights["cls_token"]
        weights["head.weight"] = weights["fc.bias"] = np.zeros([3])
        weights["mask_token"] = np.zeros([1, 12])
        weights["norm.weight"] = np.zeros([13])
        with self.assertRaises(ValueError) as caught:
            convert.load_reference_weights(model, weights)

        message = str(caught.exception)
        self.assertIn("Missing: ['cls_token', 'norm.bias'].", message)
        self.assertIn("Unknown: ['fc.bias', 'head.weight'].", message)
        self.assertIn("mask_token: (1, 12), needed (1, 1, 12)", message)
        self.assertIn("norm.weight: (13,), needed (12,)", message)
        for got, want in zip(model.get_weights(), before, strict=True):
            self.assertAllEqual(got, want)

    @parameterized.parameters("Missing", "Unknown", "Of another shape")
    def test_each_kind_of_misfit_is_refused_alone(self, kind):
        model = vit()
        weights = convert.reference_weights(model)
        if kind == "Missing":
            del weights["norm.bias"]
        elif kind == "Unknown":
            weights["norm.running_mean"] = np.zeros([12])
        else:
            # The layout of Keras; as many numbers, in another order.
            weights["blocks.0.mlp.fc1.weight"] = np.zeros([12, 48])
        with self.assertRaisesRegex(ValueError, rf"{kind}: \[") as caught:
            convert.load_reference_weights(model, weights)
        self.assertEqual(str(caught.exception).count(": none."), 2)

    def test_a_backbone_does_not_take_the_weights_of_simmim(self):
        backbone = vit()
        simmim = models.SimMIM(backbone, mask_patch_size=16)
        weights = convert.reference_weights(simmim)
        with self.assertRaisesRegex(ValueError, "Unknown: .*'decoder.0.bias'"):
            convert.load_reference_weights(backbone, weights)

    def test_a_classifier_has_the_names_of_a_fine_tuned_model(self):
        source, target = (
            models.Classifier(
                vit(relative_position="per_block", final_norm=False), 3
            )
            for _ in range(2)
        )
        randomize(source)
        weights = convert.reference_weights(source)
        self.assertContainsSubset(
            {
                "fc_norm.weight",
                "fc_norm.bias",
                "head.weight",
                "head.bias",
                "blocks.1.attn.relative_position_bias_table",
            },
            weights,
        )
        self.assertNoCommonElements(
            {"mask_token", "norm.weight", "norm.bias"}, weights
        )
        self.assertEqual(weights["head.weight"].shape, (3, 12))
        convert.load_reference_weights(target, weights)
        self.assertAllEqual(target(self.images), source(self.images))

    def test_another_kind_of_model_is_refused(self):
        with self.assertRaisesRegex(
            ValueError, "`model` must be .*Received: Sequential"
        ):
            convert.reference_weight_maps(tf.keras.Sequential())


if __name__ == "__main__":
    tf.test.main()
