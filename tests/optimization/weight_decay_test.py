"""Tests for tf_simmim.optimization.weight_decay."""

import json
import pathlib
import types

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import models
from tf_simmim.optimization import weight_decay

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def simmim(depth=2, **options):
    vit = backbones.ViT(
        (32, 48), 16, embed_dim=12, depth=depth, num_heads=3, **options
    )
    return models.SimMIM(vit, mask_patch_size=16)


def simmim_of_swin(**options):
    swin = backbones.Swin(
        96,
        embed_dim=8,
        depths=(2, 2, 2, 1),
        num_heads=(1, 2, 2, 4),
        window_size=6,
        **options,
    )
    return models.SimMIM(swin)


def exempt_names(model, grouping):
    """Names of the reference for what is exempt."""
    exempt = weight_decay.exempt_from_weight_decay(model, grouping)
    return {
        m.name
        for m in convert.reference_weight_maps(model)
        if any(m.variable is variable for variable in exempt)
    }


class ExemptFromWeightDecayTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        ("simmim_vit.npz", lambda: simmim(depth=3)),
        ("simmim_swin.npz", simmim_of_swin),
    )
    def test_reference_grouping_equals_the_reference_name_by_name(
        self, file, create
    ):
        with np.load(GOLDEN / file) as golden:
            meta = json.loads(bytes(golden["meta_json"]))
        model = create()
        exempt = exempt_names(model, "reference")
        self.assertEqual(exempt, set(meta["no_weight_decay"]))
        every = {m.name for m in convert.reference_weight_maps(model)}
        self.assertEqual(every - exempt, set(meta["weight_decay"]))

    def test_intended_grouping_exempts_mask_token_and_bias_table_too(self):
        model = simmim()
        self.assertEqual(
            exempt_names(model, "intended"),
            exempt_names(model, "reference")
            | {
                "encoder.mask_token",
                "encoder.rel_pos_bias.relative_position_bias_table",
            },
        )

    def test_intended_grouping_exempts_every_bias_table_of_swin(self):
        model = simmim_of_swin()
        more = exempt_names(model, "intended")
        more -= exempt_names(model, "reference")
        self.assertLen(more, 7)  # blocks
        for name in more:
            self.assertEndsWith(name, ".attn.relative_position_bias_table")

    def test_version_2_of_swin_decays_in_the_reference_grouping_alone(self):
        model = simmim_of_swin(version=2)
        more = exempt_names(model, "intended")
        more -= exempt_names(model, "reference")
        kinds = {name.partition(".attn.")[2] for name in more}
        self.assertEqual(
            kinds, {"logit_scale", "cpb_mlp.0.weight", "cpb_mlp.2.weight"}
        )
        self.assertLen(more, 7 * 3)

    @parameterized.parameters("reference", "intended")
    def test_learned_positions_are_exempt_in_both(self, grouping):
        model = simmim(absolute_position="learned")
        self.assertIn("encoder.pos_embed", exempt_names(model, grouping))

    def test_every_table_of_per_block_biases_follows_the_grouping(self):
        model = simmim(relative_position="per_block")
        tables = {
            f"encoder.blocks.{i}.attn.relative_position_bias_table"
            for i in range(2)
        }
        self.assertContainsSubset(tables, exempt_names(model, "intended"))
        self.assertNoCommonElements(tables, exempt_names(model, "reference"))

    @parameterized.parameters("reference", "intended")
    def test_order_is_that_of_the_variables(self, grouping):
        model = simmim()
        exempt = weight_decay.exempt_from_weight_decay(model, grouping)
        places = [
            [v is variable for v in model.trainable_variables].index(True)
            for variable in exempt
        ]
        self.assertEqual(places, sorted(set(places)))

    def test_names_of_the_reference_grouping_come_from_the_backbone(self):
        variables = [
            tf.Variable(tf.zeros([2, 3]), name=name)
            for name in ("a/mask_token", "a/class_token", "a/mask_token_kernel")
        ] + [tf.Variable(tf.zeros([3]), name="a/kernel")]
        model = types.SimpleNamespace(
            trainable_variables=variables,
            backbone=types.SimpleNamespace(
                reference_no_weight_decay=("mask_token",)
            ),
        )
        exempt = weight_decay.exempt_from_weight_decay(model, "reference")
        names = [weight_decay.own_name(variable) for variable in exempt]
        self.assertEqual(names, ["mask_token", "kernel"])

    def test_unknown_grouping_is_refused(self):
        with self.assertRaisesRegex(
            ValueError, "`grouping` must be one of .*Received: 'official'"
        ):
            weight_decay.exempt_from_weight_decay(simmim(), "official")


class OwnNameTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        ("a/b/kernel", "kernel"), ("kernel", "kernel"), ("a/b_1", "b_1")
    )
    def test_is_the_last_part_without_the_output_number(self, name, want):
        variable = tf.Variable([1.0, 2.0], name=name)
        self.assertEqual(weight_decay.own_name(variable), want)


if __name__ == "__main__":
    tf.test.main()
