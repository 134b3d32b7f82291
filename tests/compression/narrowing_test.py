"""Tests for tf_simmim.compression.narrowing, and of the parts that it has."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.compression import small
from tests.conformance import small_models
from tf_simmim import models
from tf_simmim.compression import calibration
from tf_simmim.compression import narrowing


def vit():
    return small.classifier()


def swin(version=1):
    backbone = small_models.swin(drop_path_rate=0.0, version=version)
    return small.randomized(models.Classifier(backbone, 3), 0)


def merging_vit():
    positions = {"relative_position": "none", "absolute_position": "sincos"}
    backbone = small.vit(reduce_tokens=(2, 1), **positions)
    return small.randomized(models.Classifier(backbone, 3), 0)


def narrowing_of(model, **options):
    found = calibration.calibrate(model.backbone, [small.images()])
    orders = [np.arange(len(block.hidden.mean))[::-1] for block in found]
    return narrowing.Narrowing(model, found, orders, **options)


def widths_of(full, share):
    return {
        part: tuple(max(1, int(share * width)) for width in dims)
        for part, dims in full.items()
    }


class NarrowingTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (vit,), (swin,), (lambda: swin(2),), (merging_vit,)
    )
    def test_the_narrow_model_is_the_original_with_masked_weights(self, create):
        model = create()
        found = narrowing_of(model)
        widths = widths_of(found.full, 0.5)
        before = model(small.images())
        with found.masked(widths):
            masked = model(small.images())
        self.assertAllEqual(model(small.images()), before)

        narrow = found.narrow(widths)
        self.assertGreater(np.abs(masked - before).max(), 1e-3)
        self.assertAllClose(narrow(small.images()), masked, atol=2e-5)
        graph = tf.function(narrow)
        self.assertAllClose(graph(small.images()), masked, atol=2e-5)
        config = narrow.backbone.get_config()
        for part, dims in widths.items():
            self.assertEqual(config[narrowing.ARGUMENTS[part]], dims)
        plan = type(narrow.backbone).plan(config)
        self.assertEqual(plan.num_weights, narrow.backbone.count_params())

    @parameterized.parameters((vit,), (swin,))
    def test_the_widths_of_the_original_change_nothing(self, create):
        model = create()
        found = narrowing_of(model)
        narrow = found.narrow(found.full)
        self.assertEqual(
            narrow.backbone.get_config(), model.backbone.get_config()
        )
        for old, new in zip(model.weights, narrow.weights, strict=True):
            self.assertAllEqual(old, new)

    def test_each_part_alone_changes_its_width_alone(self):
        model = vit()
        found = narrowing_of(model)
        for part, argument in narrowing.ARGUMENTS.items():
            widths = {part: widths_of(found.full, 0.5)[part]}
            config = found.narrow(widths).backbone.get_config()
            others = set(narrowing.ARGUMENTS.values()) - {argument}
            self.assertEqual(config[argument], widths[part])
            self.assertEqual([config[name] for name in others], [None] * 2)

    def test_ranks_that_lose_nothing_change_no_answer(self):
        model = vit()
        # Half of what queries, keys and values tell, they tell twice.
        for block in model.backbone.blocks:
            kernel = block.attention.qkv_kernel
            table = kernel.numpy().reshape(12, 3, 3, 4)
            table[..., 2:] = table[..., :2] * [0.5, 2.0]
            kernel.assign(table.reshape(12, -1))
            for bias in block.attention.biases.values():
                table = bias.numpy().reshape(3, 4)
                table[:, 2:] = table[:, :2] * [0.5, 2.0]
                bias.assign(table.reshape(-1))
        before = model(small.images())
        found = narrowing_of(model)
        narrow = found.narrow({"query_key": (2, 2), "value": (2, 2)})
        error = np.linalg.norm(narrow(small.images()) - before)
        self.assertLess(error, 1e-5 * np.linalg.norm(before))

    def test_units_that_depend_on_others_go_without_loss(self):
        model = vit()
        for block in model.backbone.blocks:
            for variable in (block.mlp.expand.kernel, block.mlp.expand.bias):
                half = variable.numpy()[..., ::2]
                variable.assign(np.repeat(half, 2, axis=-1))
        before = model(small.images())
        images = [small.images()]
        calibrated = calibration.calibrate(model.backbone, images)
        pairs = np.arange(48).reshape(24, 2)
        orders = [np.concatenate([pairs[:, 0], pairs[:, 1]])] * 2
        found = narrowing.Narrowing(model, calibrated, orders, parts=["mlp"])
        narrow = found.narrow({"mlp": (24, 24)})
        error = np.linalg.norm(narrow(small.images()) - before)
        self.assertLess(error, 1e-5 * np.linalg.norm(before))

    def test_without_compensation_the_units_that_stay_are_as_they_were(self):
        model = vit()
        found = narrowing_of(model, parts=["mlp"], compensate=False)
        narrow = found.narrow({"mlp": (5, 7)})
        for block, old, width in zip(
            narrow.backbone.blocks, model.backbone.blocks, (5, 7), strict=True
        ):
            kernel = old.mlp.project.kernel.numpy()
            # The order is from the last one to the first.
            self.assertAllClose(block.mlp.project.kernel, kernel[-width:])
            self.assertAllClose(block.mlp.project.bias, old.mlp.project.bias)
            expand = old.mlp.expand.kernel.numpy()
            self.assertAllClose(block.mlp.expand.kernel, expand[:, -width:])

    def test_what_is_frozen_stays_so(self):
        model = vit()
        model.backbone.blocks[0].trainable = False
        found = narrowing_of(model)
        narrow = found.narrow(widths_of(found.full, 0.5))
        self.assertFalse(narrow.backbone.blocks[0].trainable)
        self.assertTrue(narrow.backbone.blocks[1].trainable)
        with found.masked(widths_of(found.full, 0.5)):
            want = model(small.images())
        self.assertAllClose(narrow(small.images()), want, atol=2e-5)

    @parameterized.parameters((lambda: swin(2),), (merging_vit,))
    def test_what_compares_directions_has_no_rank_to_be_reduced(self, create):
        model = create()
        with pytest.raises(ValueError, match="without query_key for a Swin"):
            narrowing_of(model, parts=["query_key"])
        assert narrowing.parts_of(model) == ("mlp", "value")

    def test_other_weights_must_keep_their_shapes(self):
        model = vit()
        found = narrowing_of(model, parts=["mlp"])
        config = {**model.get_config(), "num_classes": 4}
        model.get_config = lambda: config
        with pytest.raises(ValueError, match=r"keep the shape.*\(12, 4\)"):
            found.narrow({"mlp": (5, 5)})

    def test_unknown_parts_and_networks_are_refused(self):
        with pytest.raises(ValueError, match="`parts` must be some of"):
            narrowing_of(vit(), parts=["heads"])
        backbone = small_models.convolutional()
        model = models.Classifier(backbone, 3)
        with pytest.raises(ValueError, match="must be a ViT or a Swin"):
            narrowing.parts_of(model)


if __name__ == "__main__":
    tf.test.main()
