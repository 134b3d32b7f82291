"""Tests for tf_simmim.models.simmim.

Config, saving, XLA, precision and single-layer replica tests are in
tests/conformance; parity with the reference in tests/golden.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import optimization

B, H, W, C, P = 4, 16, 24, 2, 8
GRID = (H // P, W // P)
OPTIMIZERS = ("adamw", "lamb")


def create(
    drop_path_rate=0.0,
    optimizer="adamw",
    learning_rate=1e-2,
    compiling=None,
    **kwargs,
):
    """Returns a compiled SimMIM; the same weights every time."""
    tf.keras.utils.set_random_seed(0)
    backbone = backbones.ViT(
        (H, W),
        patch_size=P,
        embed_dim=12,
        depth=2,
        num_heads=3,
        channels=C,
        drop_path_rate=drop_path_rate,
    )
    kwargs = {"mask_patch_size": P, "mask_ratio": 0.5, **kwargs}
    model = models.SimMIM(backbone, **kwargs)
    model.compile(
        optimizer=optimization.create_optimizer(
            optimizer, model, learning_rate
        ),
        **(compiling or {}),
    )
    return model


def images_like(seed=0, batch=B):
    rng = np.random.default_rng(seed)
    return rng.normal(size=[batch, H, W, C]).astype(np.float32)


@pytest.mark.slow
def test_xla_takes_batches_of_any_size():
    losses = []
    for jit_compile in (False, True):
        model = create()
        model.compile(tf.keras.optimizers.SGD(1e-2), jit_compile=jit_compile)
        dataset = tf.data.Dataset.from_tensor_slices(images_like()).batch(2)
        history = model.fit(dataset, epochs=2, verbose=0).history
        losses.append(history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


@functools.cache
def fitted(optimizer, replicas):
    """Returns a model after 3 steps, and {what: numbers} of them.

    With drop path, masks drawn in the step, and clipping at work. Of one
    replica, step by step without a graph, as what others must equal.
    """
    strategy = tf.distribute.get_strategy()
    if replicas == 2:
        strategy = replicas_lib.two_replicas()
    with strategy.scope():
        # The published rate: Adam divides by the size of the gradient,
        # which magnifies rounding where the gradient is near zero.
        model = create(
            drop_path_rate=0.5,
            optimizer=optimizer,
            learning_rate=4e-4,
            compiling={"run_eagerly": replicas == 1},
        )
    dataset = replicas_lib.repeated(images_like(), 3)
    history = model.fit(dataset, verbose=0).history
    weights = [w.numpy() for w in model.trainable_variables]
    return model, {**history, "weights": weights}


def everything(model):
    """Returns weights and slots; the head's kernel and bias come last."""
    slots = model.optimizer.variables
    slots = slots() if callable(slots) else slots
    variables = [*slots, *model.trainable_variables]
    # The clock is the one integer.
    return [v.numpy() for v in variables if v.dtype.is_floating]


class SimMIMTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.images = images_like()
        self.patch_mask = np.zeros([B, *GRID], np.int32)
        self.patch_mask[:, 0, 1:] = 1

    @parameterized.parameters("pixels", "patch_normalized")
    def test_loss_ignores_visible_pixels_of_the_target(self, target):
        # The encoder sees visible pixels, so only a change of the target may
        # be tested: head and backbone are frozen to a constant prediction.
        model = create(target=target)
        for weight in model.head.weights:
            weight.assign(tf.zeros_like(weight))
        hidden = masking.to_pixel_mask(self.patch_mask, P).numpy() == 1
        changed = np.where(hidden[..., None], self.images, images_like(1))
        first = model.reconstruct(self.images, self.patch_mask)["loss"]
        second = model.reconstruct(changed, self.patch_mask)["loss"]
        self.assertAllClose(first, second, rtol=0, atol=0)
        third = model.reconstruct(images_like(1), self.patch_mask)["loss"]
        self.assertNotAllClose(first, third, atol=1e-4)

    def test_reconstruction_does_not_see_hidden_pixels(self):
        model = create()
        hidden = masking.to_pixel_mask(self.patch_mask, P).numpy() == 1
        changed = np.where(hidden[..., None], images_like(1), self.images)
        first = model.reconstruct(self.images, self.patch_mask)
        second = model.reconstruct(changed, self.patch_mask)
        self.assertAllEqual(first["reconstruction"], second["reconstruction"])

    def test_loss_is_the_formula_on_the_reconstructed_image(self):
        model = create()
        outputs = model.reconstruct(self.images, self.patch_mask)
        mask = masking.to_pixel_mask(self.patch_mask, P).numpy()[..., None]
        error = np.abs(self.images - outputs["reconstruction"]) * mask
        wanted = error.sum() / (mask.sum() + 1e-5) / C
        self.assertAllClose(outputs["loss"], wanted, rtol=1e-6)
        self.assertEqual(outputs["features"].shape, (B, *GRID, 12))

    @parameterized.parameters("patch_normalized", "window_normalized")
    def test_normalised_targets_reconstruct_in_the_units_of_the_image(
        self, target
    ):
        model = create(target=target)
        for weight in model.head.weights:
            weight.assign(tf.zeros_like(weight))
        shifted = 5.0 + 0.1 * self.images
        outputs = model.reconstruct(shifted, self.patch_mask)
        # A prediction of zero is the local mean, which is near 5.
        self.assertAllClose(
            outputs["reconstruction"], np.full_like(shifted, 5.0), atol=0.2
        )

    def test_options_change_the_loss(self):
        losses = [
            float(create(**kwargs).reconstruct(*self.pair())["loss"])
            for kwargs in (
                {},
                {"target": "patch_normalized"},
                {"target": "window_normalized"},
                {"reconstruction_loss": "l2"},
                {"reconstruction_loss": "smooth_l1"},
            )
        ]
        self.assertLen({round(loss, 4) for loss in losses}, 5)

    def pair(self):
        return self.images, self.patch_mask

    @slow_cases.slow_cases(1)
    @parameterized.parameters(("adamw", False), ("lamb", True))
    def test_fit_on_plain_images_lowers_the_loss(self, optimizer, jit_compile):
        model = create(
            optimizer=optimizer,
            compiling={"jit_compile": jit_compile},
            drop_path_rate=0.2,
        )
        dataset = tf.data.Dataset.from_tensors(self.images).repeat(60)
        history = model.fit(dataset, epochs=2, verbose=0).history
        self.assertLess(history["loss"][1], 0.98 * history["loss"][0])
        self.assertEqual(
            set(history), {"loss", "gradient_norm", "skipped_steps"}
        )
        self.assertGreater(history["gradient_norm"][0], 0)

    @pytest.mark.slow
    def test_fit_takes_elements_and_uses_their_mask(self):
        element = {
            "image": self.images,
            "patch_mask": self.patch_mask,
            "label": np.arange(B),
            "index": np.arange(B),
        }
        wanted = create().reconstruct(*self.pair())["loss"]
        logs = create().train_on_batch(element, return_dict=True)
        self.assertAllClose(logs["loss"], wanted, rtol=1e-6)

    @pytest.mark.slow
    def test_masks_drawn_in_the_step_change_with_the_step_and_the_seed(self):
        losses = {}
        # Seed 0 in a graph, which could draw its mask once for all.
        for seed in (0, 1):
            model = create(seed=seed, compiling={"run_eagerly": seed == 1})
            model.optimizer.learning_rate = 0.0
            losses[seed] = [
                model.train_on_batch(self.images, return_dict=True)["loss"]
                for _ in range(3)
            ]
        self.assertLen({round(float(x), 6) for x in losses[0]}, 3)
        self.assertNotAllClose(losses[0], losses[1], atol=1e-4)

    @parameterized.parameters("block_wise", "free_form")
    @pytest.mark.slow
    def test_masks_drawn_in_the_step_are_those_of_the_strategy(self, name):
        generator = masking.create(name, (H, W), P, P, 0.5)
        compiling = {"run_eagerly": True}
        model = create(random_mask=generator, seed=3, compiling=compiling)
        for step in range(2):
            # Those of the elements of a stream.
            mask = [generator.of_element(3, step * B + i) for i in range(B)]
            wanted = model.reconstruct(self.images, tf.stack(mask))["loss"]
            model.reset_metrics()
            logs = model.train_on_batch(self.images, return_dict=True)
            self.assertAllClose(logs["loss"], wanted, rtol=1e-6)

    @parameterized.parameters(*masking.STRATEGIES)
    def test_a_mask_that_is_given_is_drawn_from_and_described(self, name):
        mask = masking.create(name, (H, W), P, 8, 0.3)
        backbone = create().backbone
        model = models.SimMIM(backbone, random_mask=mask, seed=3)
        self.assertIs(model.random_mask, mask)
        copy = models.SimMIM.from_config(model.get_config())
        self.assertEqual(copy.get_config(), model.get_config())
        self.assertEqual(copy.mask_strategy, name)
        self.assertAllEqual(
            copy.random_mask.of_step(3, 5, B), mask.of_step(3, 5, B)
        )

    def test_masks_that_do_not_fit_or_have_no_name_are_refused(self):
        backbone = create().backbone
        for size in ((H, W + P), (H, W)):
            mask = masking.create("random", size, P if size[1] > W else 4, 8)
            with self.assertRaisesRegex(ValueError, "2 x 3 patches of 8 px"):
                models.SimMIM(backbone, random_mask=mask)

        class Mine(masking.RandomPatchMask):
            pass

        with self.assertRaisesRegex(ValueError, "Received: Mine"):
            models.SimMIM(backbone, random_mask=Mine((H, W), P, P))

    def test_evaluation_uses_the_same_masks_every_time(self):
        model = create(drop_path_rate=0.5)
        first = model.evaluate(self.images, verbose=0)
        self.assertEqual(model.evaluate(self.images, verbose=0), first)

    def test_evaluation_weighs_a_short_last_batch_by_its_images(self):
        model = create()
        mask = np.repeat(self.patch_mask[:1], 6, axis=0)
        element = {"image": images_like(batch=6), "patch_mask": mask}
        dataset = tf.data.Dataset.from_tensor_slices(element).batch(4)
        wanted = model.reconstruct(element["image"], mask)["loss"]
        result = model.evaluate(dataset, verbose=0, return_dict=True)
        self.assertAllClose(result["loss"], wanted, rtol=1e-5)

    def test_predict_returns_reconstructions_of_elements(self):
        model = create()
        element = {"image": self.images, "patch_mask": self.patch_mask}
        outputs = model.predict(element, batch_size=2, verbose=0)
        wanted = model.reconstruct(*self.pair())
        self.assertAllClose(
            outputs["reconstruction"], wanted["reconstruction"], atol=1e-5
        )

    def test_gradient_reaches_every_weight(self):
        model = create()
        with tf.GradientTape() as tape:
            loss = model.reconstruct(*self.pair())["loss"]
        gradients = tape.gradient(loss, model.trainable_variables)
        for gradient, variable in zip(
            gradients, model.trainable_variables, strict=True
        ):
            self.assertGreater(
                float(tf.norm(gradient)), 0, f"no gradient: {variable.name}"
            )

    @parameterized.parameters(*OPTIMIZERS)
    @pytest.mark.slow
    def test_two_replicas_train_like_one(self, optimizer):
        (_, one), (_, two) = (fitted(optimizer, n) for n in (1, 2))
        self.assertAllClose(one["loss"], two["loss"], rtol=0, atol=1e-6)
        self.assertAllClose(one["gradient_norm"], two["gradient_norm"], 1e-5)
        for a, b in zip(one["weights"], two["weights"], strict=True):
            self.assertAllClose(a, b, rtol=0, atol=1e-6)

    @slow_cases.slow_cases(1, 2)
    @parameterized.parameters(("adamw", 1), ("adamw", 2), ("lamb", 2))
    def test_a_bad_image_skips_the_step_on_every_replica(
        self, optimizer, replicas
    ):
        model, _ = fitted(optimizer, replicas)
        bad = self.images.copy()
        bad[-1, 3, 4, 1] = np.nan  # on the last replica alone
        before = everything(model)

        def fit(images):
            dataset = replicas_lib.repeated(images, 1)
            return model.fit(dataset, verbose=0).history

        for number in (1, 2):
            history = fit(bad)
            self.assertEqual(history["skipped_steps"], [number])
            self.assertEqual(
                int(model.optimizer.iterations.numpy()), 3 + number
            )
            for old, new in zip(before, everything(model), strict=True):
                np.testing.assert_array_equal(new, old)
        history = fit(self.images)
        self.assertEqual(history["skipped_steps"], [2])
        self.assertEqual(model.skipped_steps.count_in_a_row(), 0)
        self.assertEqual(model.skipped_steps.steps(), [4, 5])
        self.assertNotAllClose(model.head.kernel, before[-2])

    @pytest.mark.slow
    def test_skipped_steps_stay_out_of_the_means(self):
        model = create()
        bad = np.full_like(self.images, np.inf)
        good = model.train_on_batch(self.images, return_dict=True)
        after = model.train_on_batch(bad, reset_metrics=False, return_dict=True)
        self.assertEqual(after["loss"], good["loss"])
        self.assertEqual(after["gradient_norm"], good["gradient_norm"])
        self.assertEqual(after["skipped_steps"], 1)
        alone = model.train_on_batch(bad, return_dict=True)
        self.assertTrue(np.isnan(alone["loss"]))

    @pytest.mark.slow
    def test_a_bad_gradient_of_a_good_loss_skips_the_step(self):
        @tf.custom_gradient
        def zero(x):
            return tf.constant(0.0), lambda dy: dy * np.nan * tf.ones_like(x)

        class Faulty(models.SimMIM):
            def _loss(self, *args):
                return super()._loss(*args) + zero(self.head.kernel)

        model = create()
        faulty = Faulty(model.backbone, mask_patch_size=P)
        faulty.compile(
            optimization.create_optimizer("adamw", faulty, 1e-2),
        )
        before = everything(faulty)
        logs = faulty.train_on_batch(self.images, return_dict=True)
        self.assertGreater(logs["loss"], 0.1)
        self.assertEqual(logs["skipped_steps"], 1)
        for old, new in zip(before, everything(faulty), strict=True):
            np.testing.assert_array_equal(new, old)

    @pytest.mark.slow
    def test_float16_overflow_lowers_the_scale_and_keeps_the_clock(self):
        tf.keras.mixed_precision.set_global_policy("mixed_float16")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        strategy = replicas_lib.two_replicas()
        with strategy.scope():
            model = create()
            inner = optimization.create_optimizer("adamw", model, 1e-2)
            model.compile(
                tf.keras.mixed_precision.LossScaleOptimizer(
                    inner, initial_scale=2.0**40
                )
            )
        dataset = replicas_lib.repeated(self.images, 40)
        history = model.fit(dataset, verbose=0).history
        self.assertEqual(history["skipped_steps"], [0])
        self.assertEqual(int(model.optimizer.iterations.numpy()), 40)
        scale = float(tf.convert_to_tensor(model.optimizer.loss_scale))
        self.assertBetween(scale, 2.0, 2.0**39)
        self.assertAllInRange(history["gradient_norm"], 1e-3, 100.0)
        # One that is a fault leaves the scale alone.
        bad = replicas_lib.repeated(self.images * np.nan, 1)
        history = model.fit(bad, verbose=0).history
        self.assertEqual(history["skipped_steps"], [1])
        self.assertEqual(int(model.optimizer.iterations.numpy()), 41)
        self.assertEqual(
            float(tf.convert_to_tensor(model.optimizer.loss_scale)), scale
        )

    @pytest.mark.slow
    def test_float16_scales_the_loss_and_trains(self):
        tf.keras.mixed_precision.set_global_policy("mixed_float16")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        model = create()
        first = model.train_on_batch(self.images, return_dict=True)
        for _ in range(20):
            last = model.train_on_batch(self.images, return_dict=True)
        self.assertLess(last["loss"], first["loss"])
        self.assertBetween(float(last["gradient_norm"]), 1e-3, 10.0)

    @parameterized.named_parameters(
        ("target", {"target": "pixel"}, "`target` must be one of"),
        (
            "loss",
            {"reconstruction_loss": "mse"},
            "`reconstruction_loss` must be one of",
        ),
        (
            "mask patch",
            {"mask_patch_size": 12},
            "`mask_patch_size` must be a multiple of `patch_size`.*8x8 or",
        ),
        (
            "image",
            {"mask_patch_size": 16},
            "`image_size` must be a multiple of `mask_patch_size`.*16x16",
        ),
        ("all hidden", {"mask_ratio": 0.9}, "hides all 6 mask patches"),
        ("strategy", {"mask_strategy": "x"}, "`mask_strategy` must be one"),
        ("ratio", {"mask_ratio": 1.0}, "strictly between 0 and 1"),
    )
    def test_impossible_arguments_are_refused(self, kwargs, message):
        with self.assertRaisesRegex(ValueError, message):
            create(**kwargs)

    def test_an_element_without_image_is_refused(self):
        with self.assertRaisesRegex(ValueError, "must have the key `image`"):
            create()({"pixels": self.images})


if __name__ == "__main__":
    tf.test.main()
