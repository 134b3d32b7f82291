"""Tests for tf_simmim.backbones.swin.

What holds for every backbone is in `contract.py`, parity with the reference in
tests/golden, version 2 against NumPy in `swin_v2_test.py`.
"""

import json
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.backbones import contract
from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import layers
from tf_simmim import randomness

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
B, SIZE, C, P, D = 2, (16, 24), 2, 4, 6
DEPTHS, HEADS = (2, 1), (2, 3)
GRID, LAST = (4, 6), (2, 3)


class SwinContract(contract.BackboneContract, contract.BlockContract):
    backbone = backbones.Swin
    # The windows of the last stage reach over the whole map.
    options = dict(
        image_size=SIZE,
        patch_size=P,
        embed_dim=D,
        depths=DEPTHS,
        num_heads=HEADS,
        window_size=3,
        channels=C,
    )
    variants = [
        {"qkv_bias": "query_value"},
        {"window_size": (2, 5)},
        {"key_dims": (2, 5, 3), "value_dims": 4, "mlp_dims": (7, 5, 9)},
    ]


class SwinTest(SwinContract, tf.test.TestCase, parameterized.TestCase):
    def test_attributes_describe_the_network(self):
        swin = self.create()
        self.assertEqual(swin.image_size, SIZE)
        self.assertEqual(swin.grid_size, GRID)
        self.assertEqual((swin.patch_size, swin.stride), (4, 8))
        self.assertEqual((swin.embed_dim, swin.num_features), (6, 12))
        self.assertEqual((swin.depths, swin.num_blocks), (DEPTHS, 3))
        self.assertEqual(swin.window_size, (3, 3))
        self.assertEqual(swin.channels, C)
        self.assertTrue(swin.built)

    @parameterized.parameters(False, True)
    def test_equals_its_parts_in_order(self, training):
        swin = self.create_random(drop_path_rate=0.8)
        x = swin.patch_norm(swin.patch_embedding(self.images))
        hidden = self.mask.reshape([B, -1, 1]) == 1
        x = tf.where(hidden, swin.mask_token.mask_token, x)
        x = tf.reshape(x, [B, *GRID, D])
        blocks = swin.stages[0] + swin.stages[1]
        for number, block in enumerate(blocks):
            if number == 2:
                x = swin.mergings[0](x)
            seed = randomness.fold_in(contract.seed(), number)
            x = block(x, seed=seed, training=training)
        got = swin(
            self.images,
            patch_mask=self.mask,
            training=training,
            seed=contract.seed(),
        )
        self.assertAllClose(got, swin.norm(x), rtol=1e-4, atol=1e-4)

    def test_every_second_block_of_a_stage_is_shifted(self):
        swin = self.create(depths=(3, 2))
        shifted = [[b.shifted for b in stage] for stage in swin.stages]
        self.assertEqual(shifted, [[False, True, False], [False, True]])
        self.assertEqual(swin.stages[0][1].shift, (1, 1))
        # A window that covers the map has nowhere to go.
        self.assertEqual(swin.stages[1][1].window, LAST)
        self.assertEqual(swin.stages[1][1].shift, (0, 0))

    def test_features_lie_where_their_patches_lie(self):
        # With windows of one cell nothing but the merging mixes patches.
        swin = self.create_random(window_size=1)
        before = swin(self.images)
        images = self.images.copy()
        images[1, 8:12, 20:24] += 1  # the patch (2, 5)
        changed = np.any(swin(images) != before, axis=-1)
        want = np.zeros([B, *LAST], bool)
        want[1, 1, 2] = True
        self.assertAllEqual(changed, want)

    @parameterized.parameters(1, 2)
    def test_maps_that_windows_do_not_divide_are_padded(self, version):
        swin = self.create_random(
            window_size=4, version=version, image_size=(24, 40)
        )
        self.assertEqual(swin.stages[0][0].grid_size, (6, 10))
        images = self.rng.normal(size=[B, 24, 40, C])
        features = swin(images)
        self.assertEqual(features.shape, [B, 3, 5, 12])
        self.assertAllInRange(features, -1e3, 1e3)

    def test_block_features_have_the_sizes_of_their_stages(self):
        swin = self.create_random()
        first, last = swin.block_features(self.images, [1, 2])
        self.assertEqual(first.shape, [B, *GRID, D])
        self.assertEqual(last.shape, [B, *LAST, 2 * D])
        pyramid = swin.pyramid(self.images)
        self.assertEqual(list(pyramid), [4, 8])
        self.assertAllEqual(pyramid[4], first)
        self.assertAllEqual(pyramid[8], last)

    @parameterized.parameters(
        {"image_size": (16, 16), "window_size": 4},  # a last map of 2 x 2
        {"patch_size": 2},
        {"embed_dim": 12},
        {"depths": (1, 2)},
        {"num_heads": (3, 3)},
        {"window_size": 2},
        {"window_size": (3, 2)},
        {"channels": 3},
        {"mlp_ratio": 2.0},
        {"version": 2},
        {"qkv_bias": "none"},
    )
    def test_option_changes_the_weights(self, **options):
        default = [w.shape for w in self.create().weights]
        other = [w.shape for w in self.create(**options).weights]
        self.assertNotEqual(other, default)

    def test_epsilon_changes_the_features(self):
        default, other = self.create_random(), self.create_random(epsilon=0.1)
        self.assertNotAllClose(default(self.images), other(self.images))

    def test_a_window_may_be_one_number_or_two(self):
        one, two = (self.create_random(window_size=w) for w in (3, (3, 3)))
        self.assertAllEqual(one(self.images), two(self.images))

    @parameterized.parameters((1, "query_key_value"), (2, "query_value"))
    def test_biases_are_those_of_the_reference(self, version, want):
        swin = self.create(version=version)
        self.assertEqual(swin.qkv_bias, want)
        self.assertEqual(swin.stages[0][0].attention.qkv_bias, want)

    def test_first_values_are_those_of_the_reference(self):
        tf.keras.utils.set_random_seed(0)
        swin = self.create(embed_dim=48)
        projection = swin.patch_embedding.projection
        limit = (P * P * C) ** -0.5
        self.assertBetween(np.abs(projection.kernel).max(), 0.9 * limit, limit)
        self.assertAllEqual(projection.bias, np.zeros([48]))
        block = swin.stages[0][1]
        for kernel in (
            block.attention.qkv_kernel,
            block.attention.projection.kernel,
            block.mlp.expand.kernel,
            block.mlp.project.kernel,
            swin.mergings[0].reduction.kernel,
            block.position_bias.table,
        ):
            self.assertAllClose(np.std(kernel), 0.02, rtol=0.25)
        # Not cut near one or two standard deviations.
        self.assertGreater(np.abs(block.mlp.expand.kernel).max(), 0.05)
        self.assertAllEqual(block.attention.biases["qkv"], np.zeros([144]))
        for norm in (block.attention_norm, block.mlp_norm, swin.norm):
            self.assertAllEqual(norm.gamma, np.ones(norm.gamma.shape))

    def test_every_block_of_version_2_begins_as_the_identity(self):
        swin = self.create(version=2)
        x = self.rng.normal(size=[B, *GRID, D]).astype(np.float32)
        for block in swin.stages[0]:
            self.assertAllEqual(block(x), x)
        self.assertIsInstance(swin.stages[0][0], layers.SwinV2Block)
        self.assertTrue(swin.mergings[0].norm_last)

    def test_one_block_has_the_rate_of_the_first(self):
        swin = self.create(depths=(1,), num_heads=(2,), drop_path_rate=0.4)
        self.assertEqual(swin.stages[0][0].drop_path, 0.0)
        self.assertEqual(swin.stride, P)

    def test_layer_ids_equal_those_of_the_reference_weight_by_weight(self):
        """Depths of Swin-B; the widths do not matter."""
        groups = json.loads((GOLDEN / "finetune_param_groups.json").read_text())
        groups = groups["swin_base_layer_decay_0.9"]
        swin = backbones.Swin(
            32, 4, 2, (2, 2, 18, 2), (1, 1, 1, 1), window_size=1
        )
        maps = convert.reference_weight_maps(swin)
        got = {m.name: swin.layer_id(m.variable) for m in maps}
        self.assertEqual(got.pop("mask_token"), 0)  # gone when fine-tuning
        want = {name: group["layer_id"] for name, group in groups.items()}
        for name in ("head.weight", "head.bias"):
            self.assertEqual(want.pop(name), swin.num_blocks + 1)
        self.assertEqual(got, want)

    @parameterized.parameters(
        ({"image_size": (18, 24)}, "`image_size` must be a mult.*16x24 or 24"),
        ({"image_size": 30}, r"`stride` \(8 px\).*24x24 or 32x32"),
        ({"image_size": (8, 12, 3)}, "`image_size` must be a positive int"),
        ({"patch_size": 0}, "`patch_size` and `channels` must be at least 1"),
        ({"channels": 0}, "`patch_size` and `channels` must be at least 1"),
        ({"num_heads": (4, 3)}, "`num_heads` must be positive and divide"),
        ({"num_heads": (2, 0)}, "`num_heads` must be positive and divide"),
        ({"num_heads": (2, 3, 3)}, "`depths` and `num_heads` must have one"),
        ({"depths": ()}, "`depths` and `num_heads` must have one"),
        ({"depths": (2, 0)}, "`depths` and `num_heads` must have one"),
        ({"window_size": 0}, "`window_size` must be a positive int"),
        ({"window_size": (3, 2, 1)}, "`window_size` must be a positive int"),
        ({"mlp_ratio": 0}, "`mlp_ratio` must be positive"),
        ({"version": 3}, r"`version` must be one of \(1, 2\).*Received: 3"),
        ({"qkv_bias": "all"}, "`qkv_bias` must be one of"),
        ({"drop_path_rate": 1.0}, r"`drop_path_rate` must lie in \[0, 1\)"),
    )
    def test_impossible_options_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            self.create(**options)


class SwinVersion2ContractTest(SwinContract, tf.test.TestCase):
    options = {**SwinContract.options, "version": 2}
    variants = [
        {"qkv_bias": "none", "key_dims": (2, 5, 3), "mlp_dims": (7, 5, 9)},
        {"window_size": (2, 5)},
    ]


if __name__ == "__main__":
    tf.test.main()
