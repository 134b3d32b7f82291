"""Tests that SimMIM's savings save work and nothing else.

The loss of a step is computed at hidden cells alone; it and all gradients must
be those of the whole feature map. In float64, where rounding cannot hide a
difference, within 1e-12.
"""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import randomness

B, H, W, C = 3, 16, 24, 2
VITS = {
    "reference": {},
    "no_class_token": {"class_token": False, "relative_position": "none"},
    "learned": {
        "absolute_position": "learned",
        "relative_position": "per_block",
        "qkv_bias": "query_key_value",
    },
    "sincos": {
        "absolute_position": "sincos",
        "class_token": False,
        "layer_scale_init": None,
        "qkv_bias": "none",
    },
    "one_block": {"depth": 1},
    "rematerialized": {"rematerialize": True},
}


def vit(policy="float32", **options):
    arguments = dict(
        patch_size=4,
        embed_dim=12,
        depth=2,
        num_heads=3,
        channels=C,
        drop_path_rate=0.5,
        dtype=policy,
    )
    return backbones.ViT((H, W), **{**arguments, **options})


def swin(policy="float32", **options):
    arguments = dict(
        embed_dim=6,
        depths=(1, 2),
        num_heads=(2, 3),
        window_size=3,
        channels=C,
        drop_path_rate=0.5,
        dtype=policy,
    )
    return backbones.Swin((H, W), **{**arguments, **options})


class SimMIMSavingsTest(tf.test.TestCase, parameterized.TestCase):
    def create(self, backbone, policy="float32", **options):
        arguments = {"mask_patch_size": 8, "mask_ratio": 0.5, **options}
        model = models.SimMIM(backbone, dtype=policy, **arguments)
        rng = np.random.default_rng(0)
        for weight in model.trainable_variables:
            weight.assign(0.3 * rng.normal(size=weight.shape))
        images = rng.normal(size=[B, H, W, C])
        self.images = tf.constant(
            images, "float64" if policy == "float64" else "float32"
        )
        self.seed = randomness.seed_for(1, randomness.DROP_PATH, 5)
        return model

    def gradients(self, model, loss_of, mask, jit_compile=False):
        """Returns (loss, one vector of all gradients).

        In a graph where XLA compiles it; eagerly, which is quicker, otherwise.
        """

        def run():
            with tf.GradientTape() as tape:
                loss = loss_of(self.images, mask, True, self.seed)
            return loss, tape.gradient(loss, model.trainable_variables)

        if jit_compile:
            run = tf.function(run, jit_compile=True)
        loss, gradients = run()
        for variable, gradient in zip(
            model.trainable_variables, gradients, strict=True
        ):
            self.assertIsNotNone(gradient, variable.name)
        return loss, np.concatenate([np.ravel(g) for g in gradients])

    def assert_exact(self, model, mask=None, tolerance=1e-6, jit_compile=False):
        if mask is None:
            mask = model.random_mask.sample_batch(self.seed, B)
        loss, gradient = self.gradients(
            model, model._step_loss, mask, jit_compile
        )
        want_loss, want = self.gradients(
            model, model.full_loss, mask, jit_compile
        )
        self.assertAllClose(loss, want_loss, rtol=min(1e-6, tolerance), atol=0)
        error = np.linalg.norm(gradient - want) / np.linalg.norm(want)
        self.assertLess(error, tolerance)

    @slow_cases.slow_cases(1, 2, 4, 5)
    @parameterized.parameters(*VITS)
    def test_a_vit_has_the_same_loss_and_gradients(self, name):
        model = self.create(vit("float64", **VITS[name]), "float64")
        self.assert_exact(model, tolerance=1e-12)

    @pytest.mark.slow
    def test_a_swin_has_the_same_loss_and_gradients(self):
        model = self.create(swin("float64"), "float64")
        images = tf.cast(self.images, model.backbone.compute_dtype)
        self.assertIsNotNone(model.backbone.up_to_last_block(images))
        self.assert_exact(model, tolerance=1e-12)
        self.assert_exact(self.create(swin(version=2)))

    @pytest.mark.slow
    def test_a_swin_of_several_last_windows_saves_the_head(self):
        model = self.create(swin("float64", window_size=2), "float64")
        self.assertIsNone(model.backbone.up_to_last_block(self.images))
        self.assert_exact(model, tolerance=1e-12)

    @slow_cases.slow_cases(1)
    @parameterized.parameters("patch_normalized", "window_normalized")
    def test_normalised_targets_are_the_same(self, target):
        self.assert_exact(self.create(vit(), target=target))

    @parameterized.parameters(vit, swin)
    @pytest.mark.slow
    def test_xla_has_the_same_loss_and_gradients(self, create):
        self.assert_exact(self.create(create()), jit_compile=True)

    @slow_cases.slow_cases(1)
    @parameterized.parameters("mixed_bfloat16", "mixed_float16")
    def test_mixed_precision_rounds_alike(self, policy):
        model = self.create(vit(policy), policy)
        # bfloat16 has 8 bits, 0.004; sums in another order.
        self.assert_exact(model, tolerance=0.02)

    @pytest.mark.slow
    def test_masks_that_hide_less_more_or_parts_of_cells_are_exact(self):
        for create in (vit, swin):
            model = self.create(create("float64"), "float64")
            less = np.zeros([B, 4, 6], np.int32)
            less[0, :2, :2] = less[1, 2:, :4] = 1
            more = np.ones_like(less)
            more[:, :2, 2:4] = 0
            part = less.copy()
            part[2, 3, 5] = 1
            for mask in (less, more, part, np.zeros_like(less)):
                loss = model._step_loss(self.images, mask, True, self.seed)
                want = model.full_loss(self.images, mask, True, self.seed)
                self.assertAllClose(loss, want, rtol=1e-6)
            self.assert_exact(model, more, tolerance=1e-12)

    def test_squares_that_cut_through_cells_are_computed_in_full(self):
        model = self.create(swin("float64"), "float64", mask_patch_size=4)
        self.assertIsNone(model._num_hidden_cells())
        self.assert_exact(model, tolerance=1e-12)

    @parameterized.parameters(vit, swin)
    def test_visible_cells_are_left_out(self, create):
        model = self.create(create())
        mask = model.random_mask.sample_batch(self.seed, B)
        num_hidden = (
            int(tf.reduce_sum(mask[0])) // (model.backbone.stride // 4) ** 2
        )
        seen = []

        class Spy(tf.keras.layers.Layer):
            is_pointwise = True

            def call(self, features):
                seen.append(tuple(features.shape))
                return head(features)

        head, model.head = model.head, Spy()
        model._step_loss(self.images, mask, True, self.seed)
        self.assertEqual(seen, [(B, num_hidden, 12)])

    def test_evaluation_saves_too_and_has_the_same_loss(self):
        model = self.create(vit())
        model.compile()
        mask = model.random_mask.sample_batch(self.seed, B)
        want = model.reconstruct(self.images, mask)["loss"]
        element = {"image": self.images, "patch_mask": mask}
        logs = model.test_on_batch(element, return_dict=True)
        self.assertAllClose(logs["loss"], want, rtol=1e-6)


if __name__ == "__main__":
    tf.test.main()
