"""Tests for tf_simmim.models.classifier.

Parity with the reference is tested in tests/golden.
"""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import losses
from tf_simmim import models
from tf_simmim import optimization

B, H, W, C, L = 4, 16, 24, 2, 7
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=[B, H, W, C]).astype(np.float32)
LABELS = np.int64([3, 0, 6, 2])


def vit(**options):
    return backbones.ViT(
        **{
            "image_size": (H, W),
            "patch_size": 8,
            "embed_dim": 6,
            "depth": 1,
            "num_heads": 3,
            "channels": C,
            "relative_position": "per_block",
            "final_norm": False,
            **options,
        }
    )


def swin():
    return backbones.Swin(
        (H, W), 4, 4, (1, 1), (1, 2), window_size=(2, 3), channels=C
    )


def convnext():
    return backbones.Convolutional(
        (H, W), depths=(1, 1), widths=(6, 10), channels=C
    )


def create(backbone=vit, num_classes=L, **options):
    """Returns a compiled classifier whose weights are all felt.

    Its steps are eager: a trace of one takes longer than all of a test.
    """
    tf.keras.utils.set_random_seed(0)
    model = models.Classifier(backbone(), num_classes, **options)
    rng = np.random.default_rng(1)
    for weight in model.trainable_variables:
        weight.assign_add(0.2 * rng.normal(size=weight.shape))
    optimizer = optimization.create_optimizer("adamw", model, 1e-2)
    model.compile(optimizer, run_eagerly=True)
    return model


def by_hand(logits, labels, smoothing):
    """Returns the cross-entropy in NumPy."""
    logits = np.asarray(logits, np.float64)
    log_softmax = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -log_softmax[np.arange(len(labels)), labels]
    rest = -log_softmax.mean(axis=-1)
    return ((1 - smoothing) * nll + smoothing * rest).mean()


class ClassifierTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((vit, True), (swin, False))
    def test_logits_are_of_the_mean_of_the_map(self, backbone, normalize):
        self.check_logits(backbone, normalize)

    @pytest.mark.slow
    def test_a_convolutional_network_is_read_as_a_swin_is(self):
        self.check_logits(convnext, normalize=False)
        self.check_stand_in(convnext, "mask_color")

    def check_logits(self, backbone, normalize):
        model = create(backbone)
        features = model.backbone(IMAGES).numpy().mean(axis=(1, 2))
        self.assertEqual(model.head.normalize, normalize)
        if normalize:
            features = model.head.norm(features).numpy()
        kernel, bias = model.head.linear.kernel, model.head.linear.bias
        want = features @ kernel.numpy() + bias.numpy()
        self.assertAllClose(model(IMAGES), want, atol=1e-5)
        self.assertAllClose(
            model.predict(IMAGES, batch_size=3, verbose=0), want, atol=1e-5
        )
        self.assertAllClose(model({"image": IMAGES}), want, atol=1e-5)

    def test_a_vit_with_a_final_norm_has_no_second_one(self):
        model = create(lambda: vit(final_norm=True))
        self.assertIsNone(model.head.norm)
        self.assertNotEmpty(model.backbone.norm.weights)

    @parameterized.parameters((vit, 2e-5), (swin, 0.02))
    def test_heads_begin_as_those_of_the_reference(self, backbone, stddev):
        tf.keras.utils.set_random_seed(0)
        kernel = models.Classifier(backbone(), 300).head.linear.kernel
        self.assertAllClose(np.std(kernel), stddev, rtol=0.1, atol=0)

    @parameterized.parameters(0.0, 0.3)
    def test_a_step_reports_loss_and_accuracy_of_its_batch(self, smoothing):
        model = create(label_smoothing=smoothing)
        logits = model(IMAGES).numpy()
        logs = model.train_on_batch(IMAGES, LABELS, return_dict=True)
        self.assertAllClose(logs["loss"], by_hand(logits, LABELS, smoothing))
        places = (-logits).argsort(axis=-1).argsort(axis=-1)
        places = places[np.arange(B), LABELS]
        self.assertAllClose(logs["accuracy"], np.mean(places < 1))
        self.assertAllClose(logs["top_5_accuracy"], np.mean(places < 5))
        self.assertNotAllClose(model(IMAGES), logits)
        self.assertGreater(logs["gradient_norm"], 0.0)

    def test_mixed_labels_are_the_target_as_they_are(self):
        model = create(label_smoothing=0.3)
        mixed = np.float32(0.4 * np.eye(L)[LABELS] + 0.6 * np.eye(L)[[1] * B])
        want = losses.cross_entropy(model(IMAGES), mixed)
        element = {"image": IMAGES, "label": mixed, "index": np.arange(B)}
        logs = model.train_on_batch(element, return_dict=True)
        self.assertAllClose(logs["loss"], want)

    def test_evaluation_counts_images_and_smooths_nothing(self):
        model = create(label_smoothing=0.3)
        logits = model(IMAGES).numpy()
        dataset = tf.data.Dataset.from_tensor_slices(
            {"image": IMAGES, "label": LABELS}
        )
        logs = model.evaluate(dataset.batch(3), verbose=0, return_dict=True)
        self.assertAllClose(logs["loss"], by_hand(logits, LABELS, 0.0))
        self.assertAllClose(
            logs["accuracy"], np.mean(logits.argmax(-1) == LABELS)
        )

    def test_evaluation_refuses_a_label_that_is_no_class(self):
        model = create()
        # Two classes for an image are no distribution over classes.
        for labels in (LABELS + 1, np.eye(L)[LABELS] + np.eye(L)[0]):
            with self.assertRaisesRegex(
                tf.errors.InvalidArgumentError,
                r"`label` must lie in \[0, 7\), or .* sum is 1",
            ):
                model.test_step((IMAGES, labels))

    def test_five_classes_have_no_top_5(self):
        model = create(num_classes=5)
        logs = model.train_on_batch(IMAGES, LABELS % 5, return_dict=True)
        self.assertEqual(
            set(logs), {"loss", "gradient_norm", "skipped_steps", "accuracy"}
        )

    def test_it_learns_by_heart(self):
        model = create()
        model.compile(model.optimizer)
        dataset = tf.data.Dataset.from_tensors((IMAGES, LABELS)).repeat(40)
        model.fit(dataset, verbose=0)
        logs = model.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
        self.assertEqual(logs["accuracy"], 1.0)

    def test_what_stands_in_for_hidden_patches_is_not_trained(self):
        self.check_stand_in(vit, "mask_token")

    def check_stand_in(self, backbone, name):
        model = create(backbone)
        (weight,) = getattr(model.backbone, name).weights
        self.assertNotIn(
            weight.ref(), [v.ref() for v in model.trainable_variables]
        )
        before = weight.numpy()
        model.train_on_batch(IMAGES, LABELS)
        self.assertAllEqual(weight, before)

    def test_a_label_that_is_no_class_skips_the_step(self):
        model = create()
        before = [weight.numpy() for weight in model.trainable_variables]
        for count, labels in ((1, LABELS + 1), (2, np.zeros([B, L]))):
            logs = model.train_on_batch(IMAGES, labels, return_dict=True)
            self.assertEqual(logs["skipped_steps"], count)
            self.assertAllEqual(
                np.isnan([logs["loss"], logs["accuracy"]]), [1, 1]
            )
        for got, want in zip(model.trainable_variables, before, strict=True):
            self.assertAllEqual(got, want)

    def test_drop_path_is_a_function_of_seed_and_step(self):
        def losses_of(seed):
            model = create(lambda: vit(drop_path_rate=0.5, depth=2), seed=seed)
            # No update: what differs between steps is drop path alone.
            model.optimizer.learning_rate.assign(0.0)
            losses = []
            for _ in range(2):
                model.reset_metrics()
                logs = model.train_on_batch(IMAGES, LABELS, return_dict=True)
                losses.append(logs["loss"])
            return losses

        first = losses_of(1)
        self.assertAllEqual(losses_of(1), first)
        self.assertNotAllClose(losses_of(2), first)
        self.assertLen(set(first), 2)

    def test_it_normalises_pixels_where_told_how(self):
        model = create()
        pixels = RNG.integers(0, 256, [B, H, W, C]).astype(np.uint8)
        with self.assertRaisesRegex(ValueError, "`image`"):
            model(pixels)
        model.normalize = lambda images: tf.cast(images, tf.float32) / 99.0
        want = model((pixels / 99.0).astype(np.float32))
        self.assertAllClose(model(pixels), want)
        self.assertAllClose(model.predict(pixels, verbose=0), want)

    def test_config_goes_through_json_and_keeps_the_names(self):
        names = [f"class {i}" for i in range(L)]
        model = create(class_names=names, label_smoothing=0.3, seed=9)
        config = json.loads(json.dumps(model.get_config()))
        copy = models.Classifier.from_config(config)
        self.assertEqual(copy.get_config(), model.get_config())
        self.assertEqual(copy.class_names, tuple(names))
        self.assertEqual((copy.label_smoothing, copy.seed), (0.3, 9))

    def test_a_keras_file_goes_on_training_as_before(self):
        model = create(class_names=list("abcdefg"))
        optimizer = optimization.create_optimizer(
            "adamw",
            model,
            optimization.WarmupCosine(1e-2, 9, 2),
            layer_decay=0.5,
            ema_momentum=0.9,
        )
        model.compile(optimizer, run_eagerly=True)
        model.train_on_batch(IMAGES, LABELS)
        path = os.path.join(self.get_temp_dir(), "model.keras")
        model.save(path)
        copy = tf.keras.models.load_model(path)
        self.assertEqual(copy.class_names, tuple("abcdefg"))
        for one in (model, copy):
            one.train_on_batch(IMAGES, LABELS)
        for got, want in zip(copy.weights, model.weights, strict=True):
            self.assertAllEqual(got, want)

    @parameterized.parameters(
        ({"num_classes": 1}, "`num_classes` must be an int of 2 or more"),
        ({"num_classes": 7.0}, "`num_classes` must be an int of 2 or more"),
        ({"label_smoothing": 1.0}, r"`label_smoothing` must lie in \[0, 1\)"),
        ({"label_smoothing": -0.1}, r"`label_smoothing` must lie in \[0, 1\)"),
        ({"class_names": ["a"] * L}, "must be 7 different names"),
        ({"class_names": ["a", "b"]}, "must be 7 different names"),
        ({"class_names": "abcdefg"}, "must be 7 different names"),
        ({"class_names": range(L)}, "must be 7 different names"),
    )
    def test_impossible_options_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            models.Classifier(vit(), **{"num_classes": L, **options})

    @parameterized.parameters(
        ({"image": IMAGES}, "must have the key `label`.*'image'"),
        ({"label": LABELS}, "must have the key `image`.*'label'"),
        ({"image": IMAGES[:, :8], "label": LABELS}, "16x24|images"),
        ({"image": IMAGES, "label": LABELS[:, None]}, "Integer `label` must"),
        ((IMAGES, LABELS, np.ones(B)), "`sample_weight` must be None"),
    )
    def test_elements_without_what_it_takes_are_refused(self, data, message):
        model = create()
        with self.assertRaisesRegex(ValueError, message):
            model.train_step(data)


if __name__ == "__main__":
    tf.test.main()
