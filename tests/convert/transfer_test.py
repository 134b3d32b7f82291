"""Tests for tf_simmim.convert.transfer."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import convert


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
        ("another kind", vit, {}, "mask_token"),
        ("width", swin, {"embed_dim": 12}, "patch_embedding/projection/bias"),
        ("heads", swin, {"num_heads": (3, 3)}, "relative_position_bias_table"),
        ("blocks", swin, {"depths": (2, 2)}, "stage_0_block_1/mlp/"),
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

    def test_unknown_method_is_refused_even_where_none_is_needed(self):
        with self.assertRaisesRegex(ValueError, "`method` must be one of"):
            convert.transfer_weights(vit(), vit(), "linear")


if __name__ == "__main__":
    tf.test.main()
