"""Tests for tf_simmim.optimization.layer_decay."""

import json
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import convert
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim.optimization import layer_decay

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
STEPS = 10


def vit(depth, **options):
    return backbones.ViT(
        (16, 24), 8, embed_dim=6, depth=depth, num_heads=3, **options
    )


def vit_classifier():
    return models.Classifier(
        vit(12, relative_position="per_block", final_norm=False), 5
    )


def swin_classifier():
    swin = backbones.Swin(32, 4, 2, (2, 2, 18, 2), (1, 1, 1, 1), window_size=1)
    return models.Classifier(swin, 5)


class LayerDecayTest(tf.test.TestCase, parameterized.TestCase):
    # The depths of ViT-B and Swin-B; the widths do not matter.
    @parameterized.parameters(
        ("vit_base_layer_decay_0.65", 0.65, vit_classifier),
        ("swin_base_layer_decay_0.9", 0.9, swin_classifier),
    )
    def test_groups_equal_the_reference_weight_by_weight(
        self, name, decay, create
    ):
        groups = json.loads((GOLDEN / "finetune_param_groups.json").read_text())
        model = create()
        scales = layer_decay.layer_decay_scales(model, decay)
        exempt = optimization.exempt_from_weight_decay(model, "reference")
        scale_of = dict(
            zip(
                [v.ref() for v in model.trainable_variables],
                scales,
                strict=True,
            )
        )
        exempt = {variable.ref() for variable in exempt}
        got = {
            m.name: {
                "lr_scale": scale_of[m.variable.ref()],
                "weight_decay": 0.0 if m.variable.ref() in exempt else 0.05,
            }
            for m in convert.reference_weight_maps(model)
        }
        want = groups[name]
        self.assertEqual(got.keys(), want.keys())
        self.assertLen(got, len(model.trainable_variables))
        for key, group in want.items():
            self.assertEqual(
                got[key]["weight_decay"], group["weight_decay"], key
            )
            self.assertAllClose(
                got[key]["lr_scale"], group["lr_scale"], rtol=1e-12, msg=key
            )

    def test_a_shared_bias_learns_at_the_full_rate(self):
        model = models.Classifier(vit(depth=2), 5)
        scales = layer_decay.layer_decay_scales(model, 0.5)
        for variable, scale in zip(
            model.trainable_variables, scales, strict=True
        ):
            if "relative_position_bias" in variable.name:
                self.assertEqual(scale, 1.0)
            if "patch_embedding" in variable.name:
                self.assertEqual(scale, 0.5**3)

    @parameterized.parameters(0.0, -0.5, 1.01)
    def test_a_decay_out_of_range_is_refused(self, decay):
        with self.assertRaisesRegex(ValueError, r"`layer_decay` must lie in"):
            layer_decay.layer_decay_scales(None, decay)


class RateWithoutPeakTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters("start", "warmup_end")
    def test_a_layer_has_its_own_peak_and_the_floor_of_all(self, origin):
        """Closed form: the schedule of a group in the reference."""
        options = dict(
            total_steps=STEPS,
            warmup_steps=3,
            warmup_learning_rate=1e-3,
            min_learning_rate=2e-3,
            cosine_origin=origin,
        )
        full = optimization.WarmupCosine(0.5, **options)
        shared = layer_decay.rate_without_peak(full)
        own = optimization.WarmupCosine(0.25 * 0.5, **options)
        for step in range(STEPS + 2):
            got = 0.25 * full(step) + 0.75 * shared(step)
            self.assertAllClose(got, own(step), rtol=1e-6)
        self.assertAllClose(shared(STEPS), 2e-3)

    def test_of_milestones_the_warm_up_alone_is_shared(self):
        full = optimization.WarmupMultiStep(
            0.5, [6], gamma=0.1, warmup_steps=4, warmup_learning_rate=0.1
        )
        shared = layer_decay.rate_without_peak(full)
        self.assertAllClose(
            [shared(step) for step in range(7)],
            np.float32([0.1, 0.075, 0.05, 0.025, 0, 0, 0]),
        )

    def test_of_other_schedules_nothing_is(self):
        self.assertIsNone(layer_decay.rate_without_peak(0.1))
        cosine = tf.keras.optimizers.schedules.CosineDecay(0.1, 5)
        self.assertIsNone(layer_decay.rate_without_peak(cosine))


if __name__ == "__main__":
    tf.test.main()
