"""Tests for tf_simmim.convert.reference_swin."""

import collections
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import models
from tf_simmim.convert import reference_swin

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "simmim_swin.npz"
D = 6
COMMON = {
    "mask_token": (1, 1, D),
    "patch_embed.proj.weight": (D, 2, 4, 4),
    "patch_embed.proj.bias": (D,),
    "patch_embed.norm.weight": (D,),
    "patch_embed.norm.bias": (D,),
    "layers.0.downsample.reduction.weight": (2 * D, 4 * D),
    "norm.weight": (2 * D,),
    "norm.bias": (2 * D,),
}


def block_shapes(width, heads, rows, version, stage):
    """Names and shapes of the reference's block."""
    shapes = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "attn.qkv.weight": (3 * width, width),
        "attn.proj.weight": (width, width),
        "attn.proj.bias": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.fc1.weight": (4 * width, width),
        "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width),
        "mlp.fc2.bias": (width,),
    }
    if version == 1:
        shapes["attn.relative_position_bias_table"] = (rows, heads)
        shapes["attn.qkv.bias"] = (3 * width,)
    else:
        shapes["attn.logit_scale"] = (heads, 1, 1)
        shapes["attn.cpb_mlp.0.weight"] = (512, 2)
        shapes["attn.cpb_mlp.0.bias"] = (512,)
        shapes["attn.cpb_mlp.2.weight"] = (heads, 512)
        shapes["attn.q_bias"] = shapes["attn.v_bias"] = (width,)
    return {f"layers.{stage}.blocks.0.{n}": s for n, s in shapes.items()}


def create(**options):
    config = dict(embed_dim=D, depths=(1, 1), num_heads=(2, 3), channels=2)
    return backbones.Swin((16, 24), **{**config, "window_size": 3, **options})


class SwinWeightMapsTest(tf.test.TestCase, parameterized.TestCase):
    def test_names_and_shapes_of_simmim_are_those_of_the_reference(self):
        with np.load(GOLDEN) as golden:
            want = {
                name.removeprefix("param/"): golden[name].shape
                for name in golden
                if name.startswith("param/")
            }
        swin = backbones.Swin(
            96,
            embed_dim=8,
            depths=(2, 2, 2, 1),
            num_heads=(1, 2, 2, 4),
            window_size=6,
        )
        weights = convert.reference_weights(models.SimMIM(swin))
        got = {name: array.shape for name, array in weights.items()}
        self.assertEqual(got, want)

    @parameterized.parameters((1, 4 * D), (2, 2 * D))
    def test_names_and_shapes_by_hand(self, version, norm_width):
        maps = reference_swin.swin_weight_maps(create(version=version))
        want = {
            **COMMON,
            "layers.0.downsample.norm.weight": (norm_width,),
            "layers.0.downsample.norm.bias": (norm_width,),
            # Windows of 3 x 3 cells, then of the whole map: 2 x 3.
            **block_shapes(D, 2, 25, version, stage=0),
            **block_shapes(2 * D, 3, 15, version, stage=1),
        }
        self.assertEqual({m.name: m.reference_shape for m in maps}, want)

    def test_without_biases_their_names_are_gone(self):
        names, fewer = (
            {m.name for m in reference_swin.swin_weight_maps(create(**options))}
            for options in ({}, {"qkv_bias": "none"})
        )
        self.assertEqual(
            names - fewer,
            {f"layers.{s}.blocks.0.attn.qkv.bias" for s in range(2)},
        )

    @parameterized.parameters(
        {}, {"qkv_bias": "none"}, {"version": 2}, {"depths": (2, 3)}
    )
    def test_every_weight_has_one_name(self, **options):
        model = create(**options)
        maps = reference_swin.swin_weight_maps(model)
        uses = collections.Counter(id(m.variable) for m in maps)
        want = collections.Counter(id(weight) for weight in model.weights)
        self.assertEqual(uses, want)
        self.assertLen({m.name for m in maps}, len(maps))

    @parameterized.parameters(1, 2)
    def test_round_trip_is_exact(self, version):
        rng = np.random.default_rng(0)
        source, target = (create(version=version) for _ in range(2))
        for variable in source.trainable_variables:
            variable.assign(rng.normal(size=variable.shape))
        weights = convert.reference_weights(source)
        convert.load_reference_weights(target, weights)
        images = rng.normal(size=[2, 16, 24, 2])
        mask = rng.integers(0, 2, [2, 4, 6])
        self.assertAllEqual(
            target(images, patch_mask=mask), source(images, patch_mask=mask)
        )

    def test_prefix_stands_before_every_name(self):
        maps = reference_swin.swin_weight_maps(create(), "encoder.")
        self.assertTrue(all(m.name.startswith("encoder.") for m in maps))

    @parameterized.parameters((1, "query_value"), (2, "query_key_value"))
    def test_biases_that_the_reference_lacks_are_refused(self, version, bias):
        with self.assertRaisesRegex(
            ValueError, f"version {version} has other.*Received: '{bias}'"
        ):
            reference_swin.swin_weight_maps(
                create(version=version, qkv_bias=bias)
            )


if __name__ == "__main__":
    tf.test.main()
