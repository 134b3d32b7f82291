"""Tests that a plan has the weights and the work of the network it is of."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim.training import step_cost

VIT = dict(
    image_size=(8, 12),
    patch_size=4,
    embed_dim=12,
    depth=2,
    num_heads=3,
    channels=2,
)
SWIN = dict(
    image_size=(24, 32),
    patch_size=4,
    embed_dim=6,
    depths=(2, 1),
    num_heads=(2, 3),
    window_size=(4, 3),  # pads the maps of 6 x 8 and 3 x 4
    channels=2,
)
CONVOLUTIONAL = dict(image_size=(32, 64), depths=(2, 2), channels=2)
VITS = [
    {},
    {"absolute_position": "learned", "relative_position": "per_block"},
    {"absolute_position": "sincos", "relative_position": "none"},
    {"class_token": False, "absolute_position": "learned"},
    {"layer_scale_init": None, "final_norm": False, "mlp_ratio": 2.7},
    {"qkv_bias": "none"},
    {"qkv_bias": "query_key_value", "num_heads": 1},
    {"visible_only": True, "relative_position": "none"},
    {
        "num_heads": (5, 1),
        "key_dims": (2, 5),
        "value_dims": 4,
        "mlp_dims": [7, 11],
        "relative_position": "per_block",
        "register_tokens": 2,
    },
    {"key_dims": 3, "mlp_dims": 5, "qkv_bias": "query_key_value"},
    {
        "reduce_tokens": (2, 1),
        "register_tokens": 3,
        "value_dims": (2, 4),
        "relative_position": "none",
    },
]
SWINS = [
    {},
    {"version": 2},
    {"version": 2, "qkv_bias": "none", "window_size": 9},
    {"qkv_bias": "query_value", "mlp_ratio": 2.3, "window_size": 5},
    {"depths": (1,), "num_heads": (1,)},
    {
        "version": 2,
        "key_dims": (2, 5, 3),
        "value_dims": 2,
        "mlp_dims": (7, 4, 9),
        "num_heads": (4, 5),
    },
]
CASES = [
    *((backbones.ViT, {**VIT, **options}) for options in VITS),
    *((backbones.Swin, {**SWIN, **options}) for options in SWINS),
]
CONVOLUTIONS = [
    {"extractor": "convnext_tiny", "widths": (8, 12)},
    {"extractor": "resnet18", "widths": (8, 12), "masking": "stem_token"},
    {"extractor": "resnet50_v2", "widths": (16, 24)},
]


def flops_of_graph(backbone):
    """Returns the operations for an image, as TensorFlow's graph has them."""

    def count(batch_size):
        shape = [batch_size, *backbone.image_size, backbone.channels]
        function = tf.function(backbone).get_concrete_function(
            tf.TensorSpec(shape)
        )
        return step_cost._count_flops(function.graph)[0]

    return count(2) - count(1)


class BlockPlanTest(tf.test.TestCase, parameterized.TestCase):
    def assert_counts(self, cls, options):
        plan, backbone = cls.plan(options), cls(**options)
        self.assertEqual(plan.num_weights, backbone.count_params(), options)
        planned = {part.name: part.num_weights for part in plan.parts}
        self.assertLen(planned, len(plan.parts))
        for layer in backbone.layers:
            num_weights = planned.pop(layer.name, 0)
            self.assertEqual(num_weights, layer.count_params(), layer.name)
        self.assertEmpty(planned)
        self.assertEqual(plan.flops, flops_of_graph(backbone), options)
        features = backbone(np.zeros([1, *plan.image_size, plan.channels]))
        self.assertEqual(features.shape[-1], plan.num_features)
        self.assertEqual(features.shape[1], plan.image_size[0] // plan.stride)
        self.assertEqual(cls.plan(backbone.get_config()), plan)

    @parameterized.parameters(*CASES)
    def test_a_transformer_has_the_planned_weights_and_work(self, cls, options):
        self.assert_counts(cls, options)

    @parameterized.parameters(*CONVOLUTIONS)
    @pytest.mark.slow
    def test_a_convolutional_network_has_them_too(self, **options):
        self.assert_counts(
            backbones.Convolutional, {**CONVOLUTIONAL, **options}
        )

    def test_a_block_worked_by_hand(self):
        plan = backbones.ViT.plan({**VIT, "mlp_ratio": 2.0})
        block = plan.parts[-2]
        self.assertEqual(block.name, "block_1")
        # Norms and LayerScales; q, k, v with two biases; the projection; the
        # MLP of 24 units. 7 tokens.
        want = 6 * 12 + (12 * 36 + 24) + (12 * 12 + 12) + (2 * 12 * 24 + 36)
        self.assertEqual(block.num_weights, want)
        multiply_adds = 7 * 12 * (36 + 12 + 2 * 24) + 2 * 7 * 7 * 12
        self.assertEqual(block.flops, 2 * multiply_adds)
        self.assertEqual((plan.grid_size, plan.attended), ((2, 3), 7))

    def test_published_networks_have_their_published_size(self):
        """DeiT-S and Swin-T: 4.6 and 4.5 GFLOPs, counted as multiply-adds."""
        small = backbones.PRESETS["vit_small"]
        plan = backbones.ViT.plan({**small, "image_size": 224})
        self.assertBetween(plan.flops / 2, 4.55e9, 4.65e9)
        self.assertBetween(plan.num_weights, 21.5e6, 22.1e6)
        tiny = backbones.PRESETS["swin_tiny"]
        plan = backbones.Swin.plan({**tiny, "image_size": 224})
        self.assertBetween(plan.flops / 2, 4.3e9, 4.5e9)
        self.assertBetween(plan.num_weights, 27.4e6, 27.6e6)

    @parameterized.parameters(
        *(
            (backbones.ViT, {**VIT, name: value}, f"`{name}`")
            for name, value in (
                ("image_size", "8"),
                ("image_size", [8, 12, 4]),
                ("image_size", [8.0, 12.0]),
                ("image_size", [10**30, -4]),
                ("patch_size", 4.0),
                ("patch_size", None),
                ("embed_dim", 12.0),
                ("embed_dim", -12),
                ("embed_dim", [12]),
                ("depth", 10**9),
                ("depth", "many"),
                ("depth", -(10**9)),
                ("num_heads", 3.0),
                ("num_heads", "3"),
                ("num_heads", -3),
                ("num_heads", [3, 3, 3]),
                ("num_heads", [3, "3"]),
                ("num_heads", [3, 1]),  # the table is shared
                ("key_dims", 2.0),
                ("key_dims", [2, None, 2]),
                ("value_dims", -1),
                ("mlp_dims", [10**9, "x"]),
                ("mlp_dims", [[1], [2]]),
                ("attention", "template"),
                ("attention", ["softmax"]),
                ("register_tokens", -1),
                ("register_tokens", 2.0),
                ("reduce_tokens", 4),
                ("reduce_tokens", [2, 3]),
                ("reduce_tokens", 1),  # the positions are relative
                ("channels", 0.5),
                ("mlp_ratio", float("inf")),
                ("mlp_ratio", float("nan")),
                ("mlp_ratio", "4"),
                ("mlp_ratio", 0.01),
                ("qkv_bias", ["none"]),
                ("relative_position", 3),
                ("drop_path_rate", "0"),
            )
        ),
        *(
            (backbones.Swin, {**SWIN, name: value}, f"`{name}`")
            for name, value in (
                ("depths", 2),
                ("depths", [2, 1, 3]),
                ("depths", [2, 10**9]),
                ("depths", [2, 1.5]),
                ("depths", []),
                ("num_heads", [2, "3"]),
                ("num_heads", "23"),
                ("window_size", [3]),
                ("key_dims", [2, 3]),
                ("mlp_dims", 0),
                ("window_size", 0),
                ("version", "1"),
                ("patch_size", 2.0),
            )
        ),
        *(
            (backbones.Convolutional, {"image_size": 32, name: value}, name)
            for name, value in (
                ("widths", 8),
                ("depths", "2"),
                ("extractor", ["resnet18"]),
            )
        ),
        (backbones.Convolutional, {}, r"Missing: \['image_size'\]"),
        (backbones.ViT, {"depth": 2}, r"Missing: \['image_size'\]"),
    )
    def test_hostile_numbers_are_refused_by_name(self, cls, config, message):
        with self.assertRaisesRegex(ValueError, message):
            cls.plan(config)

    def test_numbers_beyond_all_memory_are_counted_at_no_cost(self):
        plan = backbones.ViT.plan({**VIT, "embed_dim": 3 * 10**12})
        self.assertGreater(plan.num_weights, 10**26)
        plan = backbones.ViT.plan({**VIT, "image_size": [10**12, 10**12]})
        self.assertGreater(plan.attended, 10**22)


if __name__ == "__main__":
    tf.test.main()
