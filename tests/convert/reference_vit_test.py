"""Tests for tf_simmim.convert.reference_vit."""

import collections

import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim.convert import reference_vit

D = 12
# Names and shapes of the reference's ViT, one block, 2x3 patches of 16 px.
SHAPES = {
    "cls_token": (1, 1, D),
    "mask_token": (1, 1, D),
    "patch_embed.proj.weight": (D, 2, 16, 16),
    "patch_embed.proj.bias": (D,),
    "rel_pos_bias.relative_position_bias_table": (18, 3),
    "blocks.0.gamma_1": (D,),
    "blocks.0.gamma_2": (D,),
    "blocks.0.norm1.weight": (D,),
    "blocks.0.norm1.bias": (D,),
    "blocks.0.attn.q_bias": (D,),
    "blocks.0.attn.v_bias": (D,),
    "blocks.0.attn.qkv.weight": (3 * D, D),
    "blocks.0.attn.proj.weight": (D, D),
    "blocks.0.attn.proj.bias": (D,),
    "blocks.0.norm2.weight": (D,),
    "blocks.0.norm2.bias": (D,),
    "blocks.0.mlp.fc1.weight": (4 * D, D),
    "blocks.0.mlp.fc1.bias": (4 * D,),
    "blocks.0.mlp.fc2.weight": (D, 4 * D),
    "blocks.0.mlp.fc2.bias": (D,),
    "norm.weight": (D,),
    "norm.bias": (D,),
}
TABLE = "relative_position_bias_table"


def vit(**options):
    config = dict(embed_dim=D, depth=1, num_heads=3, channels=2)
    return backbones.ViT((32, 48), 16, **{**config, **options})


class VitWeightMapsTest(tf.test.TestCase, parameterized.TestCase):
    def test_names_and_shapes_are_those_of_the_reference(self):
        maps = reference_vit.vit_weight_maps(vit())
        self.assertEqual({m.name: m.reference_shape for m in maps}, SHAPES)

    @parameterized.parameters(
        (
            {"absolute_position": "learned"},
            {"pos_embed": (1, 7, D)},
            [],
        ),
        ({"absolute_position": "sincos"}, {}, []),
        (
            {"relative_position": "per_block"},
            {f"blocks.0.attn.{TABLE}": (18, 3)},
            [f"rel_pos_bias.{TABLE}"],
        ),
        ({"relative_position": "none"}, {}, [f"rel_pos_bias.{TABLE}"]),
        (
            {"class_token": False},
            {f"rel_pos_bias.{TABLE}": (15, 3)},
            ["cls_token"],
        ),
        (
            {"layer_scale_init": None},
            {},
            ["blocks.0.gamma_1", "blocks.0.gamma_2"],
        ),
        ({"register_tokens": 2}, {"register_tokens": (1, 2, D)}, []),
        (
            {"qkv_bias": "none"},
            {},
            ["blocks.0.attn.q_bias", "blocks.0.attn.v_bias"],
        ),
    )
    def test_options_change_the_names(self, options, added, removed):
        maps = reference_vit.vit_weight_maps(vit(**options))
        want = {**SHAPES, **added}
        for name in removed:
            del want[name]
        self.assertEqual({m.name: m.reference_shape for m in maps}, want)

    @parameterized.parameters(
        {},
        {"relative_position": "per_block", "absolute_position": "learned"},
        {"class_token": False, "layer_scale_init": None, "qkv_bias": "none"},
    )
    def test_every_weight_has_one_name(self, **options):
        model = vit(depth=3, **options)
        maps = reference_vit.vit_weight_maps(model)
        uses = collections.Counter(id(m.variable) for m in maps)
        want = collections.Counter(id(weight) for weight in model.weights)
        self.assertEqual(uses, want)
        self.assertLen({m.name for m in maps}, len(maps))

    def test_prefix_stands_before_every_name(self):
        maps = reference_vit.vit_weight_maps(vit(), "encoder.")
        self.assertEqual(
            {m.name for m in maps}, {f"encoder.{name}" for name in SHAPES}
        )

    def test_biases_on_keys_are_named_as_in_swin_and_timm(self):
        model = vit(qkv_bias="query_key_value")
        maps = reference_vit.vit_weight_maps(model)
        names = {m.name: m.reference_shape for m in maps}
        self.assertEqual(
            names["blocks.0.attn.qkv.bias"], (3 * model.embed_dim,)
        )
        self.assertNotIn("blocks.0.attn.q_bias", names)


if __name__ == "__main__":
    tf.test.main()
