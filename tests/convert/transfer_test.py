"""Tests for tf_simmim.convert.transfer."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import models
from tf_simmim import optimization


def vit(image_size=(32, 48), **options):
    config = dict(embed_dim=12, depth=2, num_heads=3, channels=2)
    return backbones.ViT(image_size, 16, **{**config, **options})


def swin(image_size=(32, 48), **options):
    config = dict(embed_dim=6, depths=(1, 2), num_heads=(2, 3), window_size=3)
    return backbones.Swin(image_size, channels=2, **{**config, **options})


def randomize(model):
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(0.5 * rng.normal(size=variable.shape))
    return model


def own(variable):
    return variable.name.partition("/")[2]


class TransferWeightsTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.named_parameters(
        ("vit", vit, {"absolute_position": "learned"}),
        ("vit per block", vit, {"relative_position": "per_block"}),
        ("vit without class token", vit, {"class_token": False}),
        ("swin", swin, {}),
        ("swin version 2", swin, {"version": 2}),
    )
    def test_the_same_size_copies_every_weight(self, create, options):
        source = randomize(create(**options))
        target = create(drop_path_rate=0.3, **options)
        convert.transfer_weights(source, target)
        for got, want in zip(target.weights, source.weights, strict=True):
            self.assertAllEqual(got, want)

    def test_heads_of_other_widths_are_refused_though_shapes_agree(self):
        options = {"relative_position": "none", "value_dims": (3, 6)}
        source = vit(key_dims=2, **{**options, "num_heads": (2, 1)})
        target = vit(
            key_dims=(4, 2), num_heads=1, **{**options, "value_dims": 6}
        )
        before = target.get_weights()
        with self.assertRaisesRegex(ValueError, "block 0 of .*num_heads=2"):
            convert.transfer_weights(source, target)
        for got, want in zip(target.get_weights(), before, strict=True):
            self.assertAllEqual(got, want)

    @parameterized.parameters(
        {"image_size": (48, 32)},
        {"window_size": (2, 5)},
        {"image_size": (64, 64), "window_size": 5},
    )
    def test_swin_gets_its_tables_resampled_and_the_rest_copied(self, **sizes):
        source, target = randomize(swin()), swin(**sizes)
        convert.transfer_weights(source, target)
        before = {own(v): v for v in source.weights}
        for variable in target.weights:
            want = before[own(variable)]
            if "relative_position_bias_table" not in variable.name:
                self.assertAllEqual(variable, want)
        for stage in range(2):
            for to, of in zip(
                target.stages[stage], source.stages[stage], strict=True
            ):
                want = convert.resample_relative_position_bias(
                    of.position_bias.table.numpy(), of.window, to.window
                )
                self.assertAllEqual(to.position_bias.table, want)

    def test_vit_gets_its_positions_resampled(self):
        source = randomize(vit(absolute_position="learned"))
        target = vit((64, 64), absolute_position="learned")
        convert.transfer_weights(source, target)
        table = source.relative_position_biases[0].table.numpy()
        got = target.relative_position_biases[0].table
        self.assertEqual(got.shape, [7 * 7 + 3, 3])
        self.assertAllEqual(
            got,
            convert.resample_relative_position_bias(table, (2, 3), (4, 4)),
        )
        self.assertAllEqual(got[-3:], table[-3:])
        positions = target.position_embedding.position_embedding
        self.assertEqual(positions.shape, [1, 17, 12])
        self.assertAllEqual(
            positions[0, 0], source.position_embedding.position_embedding[0, 0]
        )

    def test_method_reaches_the_tables(self):
        source = randomize(swin((96, 96), window_size=6))
        tables = []
        for method in ("geometric", "geometric_crop"):
            target = swin((96, 96), window_size=4)
            convert.transfer_weights(source, target, method)
            tables.append(target.stages[0][0].position_bias.table.numpy())
        self.assertNotAllClose(*tables)

    def test_version_2_fits_another_window_as_it_is(self):
        source = randomize(swin(version=2))
        target = swin((64, 64), version=2, window_size=5)
        convert.transfer_weights(source, target)
        for got, want in zip(target.weights, source.weights, strict=True):
            self.assertAllEqual(got, want)

    @parameterized.named_parameters(
        ("another kind", vit, {}, "block_0/attention"),
        ("width", swin, {"embed_dim": 12}, "patch_embedding/projection/bias"),
        ("heads", swin, {"num_heads": (3, 3)}, "relative_position_bias_table"),
        ("blocks", swin, {"depths": (2, 2)}, "stage_0_block_1/attention"),
    )
    def test_other_backbones_are_refused_and_nothing_changes(
        self, create, options, message
    ):
        target = create(**options)
        before = target.get_weights()
        with self.assertRaisesRegex(
            ValueError, f"sizes of images and windows alone.*{message}"
        ):
            convert.transfer_weights(randomize(swin()), target)
        for got, want in zip(target.get_weights(), before, strict=True):
            self.assertAllEqual(got, want)

    def test_of_many_weights_that_do_not_fit_some_are_named(self):
        with self.assertRaisesRegex(
            ValueError, r"shape: ([^,]+, ){6}and \d\d+ more\.$"
        ):
            convert.transfer_weights(vit(), swin())

    def test_unknown_method_is_refused_even_where_none_is_needed(self):
        with self.assertRaisesRegex(ValueError, "`method` must be one of"):
            convert.transfer_weights(vit(), vit(), "linear")


class TransferToClassifierTest(tf.test.TestCase, parameterized.TestCase):
    def test_a_shared_bias_goes_to_every_block_and_the_norm_stays_behind(self):
        source = randomize(vit())
        target = backbones.for_classification(source, drop_path_rate=0.2)
        report = convert.transfer_weights(source, target)
        table = source.relative_position_biases[0].table
        self.assertLen(target.relative_position_biases, 2)
        for bias in target.relative_position_biases:
            self.assertAllEqual(bias.table, table)
        before = {own(v): v for v in source.weights}
        for variable in target.weights:
            if "relative_position_bias" not in variable.name:
                self.assertAllEqual(variable, before[own(variable)])
        # The bias is one number for two blocks' attention: the same features.
        images = tf.ones([2, 32, 48, 2])
        tokens = tf.reshape(target(images), [2, 6, 12])
        want = tf.reshape(source(images), [2, 6, 12])
        self.assertAllClose(source.norm(tokens), want, atol=1e-5)
        self.assertEqual(
            report.cloned,
            tuple(
                f"relative_position_bias_{i}/relative_position_bias_table"
                for i in range(2)
            ),
        )
        self.assertEqual(report.left, ("norm/gamma", "norm/beta"))
        self.assertEqual((report.resampled, report.fresh), ((), ()))
        self.assertLen(report.copied, len(target.weights) - 2)

    def test_clones_are_resampled_for_another_size(self):
        source = randomize(vit(absolute_position="learned"))
        target = backbones.for_classification(source, image_size=(64, 64))
        report = convert.transfer_weights(source, target)
        want = convert.resample_relative_position_bias(
            source.relative_position_biases[0].table.numpy(), (2, 3), (4, 4)
        )
        for bias in target.relative_position_biases:
            self.assertAllEqual(bias.table, want)
        self.assertEqual(
            report.resampled, ("position_embedding/position_embedding",)
        )
        self.assertLen(report.cloned, 2)

    @parameterized.parameters(vit, swin)
    def test_a_model_fills_the_backbone_of_another(self, create):
        source = models.SimMIM(randomize(create()), 16)
        target = models.Classifier(
            backbones.for_classification(source.backbone), 4
        )
        before = [weight.numpy() for weight in target.head.weights]
        report = convert.transfer_weights(source, target)
        self.assertAllEqual(
            target.backbone.mask_token.mask_token,
            source.backbone.mask_token.mask_token,
        )
        for got, want in zip(target.head.weights, before, strict=True):
            self.assertAllEqual(got, want)
        self.assertLen(report.fresh, 4 if create is vit else 2)
        self.assertIn("head/linear/kernel", report.summary())
        self.assertIn("weights copied", report.summary())

    @parameterized.parameters(
        # The other way there is no bias for all blocks.
        ({"relative_position": "per_block"}, {}, "relative_position_bias_1"),
        ({"final_norm": False}, {}, "norm/beta"),
        ({}, {"class_token": False}, "class_token"),
        ({}, {"relative_position": "none"}, "relative_position_bias_0"),
        ({"relative_position": "none"}, {}, "relative_position_bias_0"),
        ({}, {"relative_position": "per_block", "depth": 3}, "block_2"),
    )
    def test_what_else_differs_is_refused(self, options, changes, message):
        source = randomize(vit(**options))
        target = vit(**changes)
        before = target.get_weights()
        with self.assertRaisesRegex(ValueError, f"alone.*{message}"):
            convert.transfer_weights(source, target)
        for got, want in zip(target.get_weights(), before, strict=True):
            self.assertAllEqual(got, want)


def simmim(backbone, optimizer="adamw", mask_ratio=0.5, **options):
    """Returns a compiled model whose optimizer is built."""
    model = models.SimMIM(backbone, 16, mask_ratio, **options)
    optimizer = optimization.create_optimizer(
        optimizer, model, optimization.WarmupCosine(1e-2, 20, 3)
    )
    model.compile(optimizer)
    return model


def train(model, steps=2):
    height, width = model.backbone.image_size
    images = np.random.default_rng(1).normal(size=[3, height, width, 2])
    images = tf.cast(images, tf.float32)
    for _ in range(steps):
        model.train_step(images)
    return model


def state(model):
    """Returns {name: array} of what a checkpoint of the model would hold."""
    variables = {v.name: v for v in model.weights}
    optimizer = model.optimizer.variables
    optimizer = optimizer() if callable(optimizer) else optimizer
    variables |= {f"optimizer {v.name}": v for v in optimizer}
    return {name: v.numpy() for name, v in variables.items()}


class TransferTrainingTest(tf.test.TestCase, parameterized.TestCase):
    def tearDown(self):
        super().tearDown()
        tf.keras.mixed_precision.set_global_policy("float32")

    @slow_cases.slow_cases(1, 2, 3)
    @parameterized.product(
        optimizer=["adamw", "lamb"], policy=["float32", "mixed_float16"]
    )
    def test_the_same_size_goes_on_as_if_nothing_had_happened(
        self, optimizer, policy
    ):
        tf.keras.mixed_precision.set_global_policy(policy)
        options = dict(absolute_position="learned")
        source = train(simmim(vit(**options), optimizer))
        target = simmim(vit(**options), optimizer)
        convert.transfer_training(source, target)
        self.assertEqual(target.optimizer.iterations.numpy(), 2)
        self.assertEqual(
            target.loss_metric.result(), source.loss_metric.result()
        )
        if policy == "mixed_float16":
            self.assertEqual(
                target.optimizer.loss_scale, source.optimizer.loss_scale
            )
        for model in (source, target):
            train(model)
        got, want = state(target).values(), state(source).values()
        for one, other in zip(got, want, strict=True):
            self.assertAllEqual(one, other)

    @slow_cases.slow_cases(1, 3)
    @parameterized.product(optimizer=["adamw", "lamb"], create=[vit, swin])
    def test_moments_of_positions_are_averages_and_others_copies(
        self, optimizer, create
    ):
        options = {"absolute_position": "learned"} if create is vit else {}
        source = train(simmim(create((32, 48), **options), optimizer))
        target = simmim(create((64, 64), **options), optimizer)
        convert.transfer_training(source, target)
        # The second model has other names: position by position.
        before, after = state(source), state(target)
        pairs = list(zip(before.items(), after.values(), strict=True))
        num_resampled = 0
        for (name, old), new in pairs:
            if "position" not in name:
                self.assertAllEqual(new, old)
            elif name.startswith("optimizer"):
                num_resampled += 1
                self.assertAllInRange(new, old.min(), old.max())
                self.assertGreater(np.abs(new).max(), 0.0)
        self.assertGreaterEqual(num_resampled, 4)
        train(target, steps=1)
        self.assertEqual(target.optimizer.iterations.numpy(), 3)
        self.assertAllInSet(target.skipped_steps.count(), [0])

    @pytest.mark.slow
    def test_no_update_grows_by_resampling(self):
        source = train(simmim(swin((32, 48))), steps=4)
        target = simmim(swin((64, 64), window_size=5))
        convert.transfer_training(source, target)

        def largest(model):
            slots = {
                name: value
                for name, value in state(model).items()
                if name.startswith("optimizer") and "bias_table" in name
            }
            first = [v for n, v in slots.items() if n.startswith("optimizer m")]
            second = [
                v for n, v in slots.items() if n.startswith("optimizer v")
            ]
            return [
                np.max(np.abs(m) / np.sqrt(v + 1e-30))
                for m, v in zip(first, second, strict=True)
            ]

        for new, old in zip(largest(target), largest(source), strict=True):
            self.assertLessEqual(new, old * (1 + 1e-5))

    @pytest.mark.slow
    def test_two_replicas_get_the_same(self):
        devices = [device.name for device in tf.config.list_logical_devices()]
        strategy = tf.distribute.MirroredStrategy(
            devices[:2],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
        source = train(simmim(swin((32, 48))))
        target = simmim(swin((64, 64)))
        convert.transfer_training(source, target)
        with strategy.scope():
            mirrored = simmim(swin((64, 64)))
        convert.transfer_training(source, mirrored)
        got, want = state(mirrored).values(), state(target).values()
        for one, other in zip(got, want, strict=True):
            self.assertAllEqual(one, other)
        for replica in tf.nest.flatten(
            [v.values for v in mirrored.trainable_variables[:3]]
        ):
            self.assertTrue(np.isfinite(replica.numpy()).all())

    def test_other_heads_and_optimizers_are_refused_and_nothing_changes(self):
        source = train(simmim(vit()))
        for target, message in (
            (simmim(vit(), head="mlp"), "head with 2 and 4 variables"),
            (simmim(vit(depth=3)), "windows alone"),
            (simmim(vit(), "lamb"), "optimizer"),
        ):
            before = state(target)
            with self.assertRaisesRegex(ValueError, message):
                convert.transfer_training(source, target)
            for name, value in state(target).items():
                self.assertAllEqual(value, before[name])


if __name__ == "__main__":
    tf.test.main()
