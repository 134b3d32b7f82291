"""Tests for tf_simmim.models.segmenter."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import data
from tf_simmim import losses
from tf_simmim import models
from tf_simmim import optimization

B, H, W, C, L = 8, 16, 24, 2, 5
IMAGES = np.random.default_rng(0).normal(size=[B, H, W, C]).astype(np.float32)
TRUTH = np.random.default_rng(1).integers(0, L, [B, H, W, 1]).astype(np.uint8)
# Many pixels without a class in the first images, none in the last.
TRUTH[0], TRUTH[1, :9], TRUTH[3, :, :5] = 255, 255, 255


def backbone(kind, **options):
    if kind == "vit":
        return backbones.ViT(
            (H, W),
            patch_size=8,
            # Enlarged fourfold, the map has a quarter of the features: of one
            # alone, the norm after it would leave nothing but its sign.
            embed_dim=12,
            # The first block drops nothing.
            depth=2,
            num_heads=3,
            channels=C,
            **options,
        )
    if kind == "swin":
        return backbones.Swin(
            (H, W),
            patch_size=4,
            embed_dim=4,
            depths=(1, 1),
            num_heads=(1, 2),
            window_size=(3, 4),
            channels=C,
            **options,
        )
    return backbones.Convolutional(
        (H, W), "resnet18", depths=(1, 1), widths=(6, 10), channels=C, **options
    )


def create(kind="vit", learning_rate=4e-4, class_weights=None, **options):
    tf.keras.utils.set_random_seed(0)
    model = models.Segmenter(
        backbone(kind, drop_path_rate=0.5),
        L,
        width=7,
        seed=3,
        class_weights=class_weights,
    )
    optimizer = optimization.create_optimizer(
        "adamw", model, learning_rate, clip_global_norm=0.5
    )
    model.compile(optimizer, **options)
    return model


def batches(num_steps, images=IMAGES, truth=TRUTH):
    dataset = tf.data.Dataset.from_tensors(
        {"image": images, "segmentation": truth}
    ).repeat(num_steps)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return dataset.with_options(options)


def train(kind="vit", replicas=1, **options):
    """Returns {what: numbers} of two steps, and of an evaluation."""
    strategy = tf.distribute.get_strategy()
    if replicas == 2:
        strategy = tf.distribute.MirroredStrategy(
            ["/cpu:0", "/cpu:1"],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
    with strategy.scope():
        model = create(kind, **options)
    result = {
        name: np.array(values)
        for name, values in model.fit(batches(2), verbose=0).history.items()
    }
    scores = model.evaluate(batches(1), verbose=0, return_dict=True)
    result |= {f"test_{name}": score for name, score in scores.items()}
    return result, [w.numpy() for w in model.trainable_variables]


@functools.cache
def plain(kind):
    """Step by step without a graph: what every other way must give."""
    return train(kind, run_eagerly=True)


class SegmenterTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters("vit", "swin", "convolutional")
    def test_logits_are_float32_of_the_size_of_the_image(self, kind):
        model = models.Segmenter(backbone(kind), L, width=7)
        for training in (False, True):
            logits = model(IMAGES, training=training)
            self.assertEqual(logits.shape, [B, H, W, L])
            self.assertEqual(logits.dtype, tf.float32)

    def test_drop_path_follows_its_seed(self):
        model = models.Segmenter(backbone("vit", drop_path_rate=0.5), L, 7)
        seeds = [tf.constant([1, n], tf.int64) for n in (0, 0, 1)]
        a, b, c = (model(IMAGES, training=True, seed=seed) for seed in seeds)
        self.assertAllEqual(a, b)
        self.assertNotAllClose(a, c)
        self.assertAllEqual(model(IMAGES), model({"image": IMAGES}))

    def test_scores_of_an_evaluation_are_those_of_its_logits(self):
        model = create()
        scores = model.evaluate(
            tf.data.Dataset.from_tensor_slices((IMAGES, TRUTH)).batch(3),
            verbose=0,
            return_dict=True,
        )
        logits = model(IMAGES)
        loss = losses.segmentation_loss(logits, TRUTH)
        self.assertAllClose(scores["loss"], loss, rtol=1e-5)
        truth, guess = TRUTH[..., 0], np.argmax(logits, axis=-1)
        counted = truth != 255
        right = (truth == guess)[counted]
        self.assertAllClose(scores["accuracy"], right.mean())
        ious = []
        for c in range(L):
            union = ((truth == c) | (guess == c)) & counted
            both = (truth == c) & (guess == c)
            if union.any():
                ious.append(both.sum() / union.sum())
        self.assertAllClose(scores["mean_iou"], np.mean(ious))
        self.assertEqual(model.scores.counts().sum(), counted.sum())

    def test_a_share_without_images_changes_nothing_of_an_evaluation(self):
        model = create("swin")
        batch = {"image": IMAGES, "segmentation": TRUTH}
        specs = {
            name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
            for name, value in batch.items()
        }
        step = tf.function(model.test_step, input_signature=[specs])
        want = step(batch)
        none = step({name: value[:0] for name, value in batch.items()})
        self.assertAllEqual(list(want.values()), list(none.values()))
        self.assertAllInRange(list(none.values()), 1e-3, 10.0)

    @parameterized.parameters(("vit", 2, 2, False))
    def test_every_way_of_taking_a_step_gives_the_same_numbers(self, *way):
        self.check(*way)

    @parameterized.parameters(
        ("swin", 1, 2, True),
        ("convolutional", 2, 1, False),
    )
    @pytest.mark.slow
    def test_every_other_way_does_as_well(self, *way):
        self.check(*way)

    def check(self, kind, replicas, accumulation_steps, jit_compile):
        result, weights = train(
            kind,
            replicas,
            accumulation_steps=accumulation_steps,
            jit_compile=jit_compile,
        )
        wanted, wanted_weights = plain(kind)
        self.assertEqual(result.keys(), wanted.keys())
        for name, value in wanted.items():
            self.assertAllClose(result[name], value, rtol=2e-6, msg=name)
        for a, b in zip(weights, wanted_weights, strict=True):
            self.assertAllClose(a, b, rtol=0, atol=1e-6)

    @pytest.mark.slow
    def test_weights_of_classes_hold_however_a_step_is_taken(self):
        weights = [0.1, 1.0, 0.7, 3.0, 1.0]
        wanted, wanted_weights = train(run_eagerly=True, class_weights=weights)
        self.assertNotAllClose(wanted["loss"], plain("vit")[0]["loss"])
        model = create(class_weights=weights)
        loss = losses.segmentation_loss(model(IMAGES), TRUTH, 255, weights)
        tested = model.evaluate(batches(1), verbose=0, return_dict=True)
        self.assertAllClose(tested["loss"], loss, rtol=1e-5)
        result, got = train(
            replicas=2, accumulation_steps=2, class_weights=weights
        )
        for name, value in wanted.items():
            self.assertAllClose(result[name], value, rtol=2e-6, msg=name)
        for a, b in zip(got, wanted_weights, strict=True):
            self.assertAllClose(a, b, rtol=0, atol=1e-6)

    def test_training_learns_to_tell_two_colours(self):
        images = np.zeros_like(IMAGES)
        images[:, :, 9:] = 2.0
        images += 0.1 * IMAGES
        truth = np.where(np.arange(W) < 9, 1, 3).astype(np.uint8)
        truth = np.broadcast_to(truth[:, np.newaxis], TRUTH.shape)
        model = create(learning_rate=1e-2)
        dataset = batches(30, images, truth)
        before = model.evaluate(dataset.take(1), verbose=0, return_dict=True)
        model.fit(dataset, verbose=0)
        after = model.evaluate(dataset.take(1), verbose=0, return_dict=True)
        self.assertLess(before["mean_iou"], 0.5)
        self.assertGreater(after["mean_iou"], 0.9)

    def test_a_bad_image_skips_the_step(self):
        images = IMAGES.copy()
        images[5, 3, 4, 1] = np.nan
        model = create(accumulation_steps=4, run_eagerly=True)
        before = [w.numpy() for w in model.trainable_variables]
        element = {"image": images, "segmentation": TRUTH}
        logs = model.train_on_batch(element, return_dict=True)
        self.assertEqual(logs["skipped_steps"], 1)
        for a, b in zip(before, model.trainable_variables, strict=True):
            self.assertAllEqual(a, b)

    def test_pixels_are_normalised_by_the_model(self):
        model = models.Segmenter(backbone("vit"), L, width=7)
        pixels = np.random.default_rng(2).integers(0, 256, IMAGES.shape)
        pixels = pixels.astype(np.uint8)
        with self.assertRaisesRegex(ValueError, "`image` must be float"):
            model(pixels)
        normalization = data.Normalization((0.3, 0.4), (0.2, 0.1))
        model.normalize = normalization.normalize
        wanted = model(normalization.normalize(pixels))
        self.assertAllEqual(model(pixels), wanted)

    @parameterized.parameters("bfloat16", "float16")
    @pytest.mark.slow
    def test_in_few_bits_a_step_is_near_that_of_float32(self, precision):
        wanted, _ = plain("vit")
        tf.keras.mixed_precision.set_global_policy(f"mixed_{precision}")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        result, weights = train(run_eagerly=True)
        for name in ("loss", "gradient_norm", "test_loss"):
            self.assertAllClose(result[name], wanted[name], rtol=0.05)
        self.assertEqual({w.dtype.name for w in weights}, {"float32"})

    def test_elements_without_what_is_needed_are_refused(self):
        model = create()
        with self.assertRaisesRegex(ValueError, "key `segmentation`"):
            model.train_on_batch({"image": IMAGES})
        with self.assertRaisesRegex(ValueError, "the key `image`, and"):
            model({"segmentation": TRUTH})

    @parameterized.parameters(
        ({"num_classes": 0}, "`num_classes` must be positive"),
        ({"ignore_label": 2}, "`ignore_label` must be none of the classes"),
        ({"width": 0}, "must be positive"),
        ({"class_weights": [1.0] * (L - 1)}, "for each of the 5 classes"),
        ({"class_weights": [1.0] * (L - 1) + [0]}, "must be a positive"),
        ({"class_weights": [1.0] * (L - 1) + [np.nan]}, "must be a positive"),
    )
    def test_impossible_arguments_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            models.Segmenter(
                **{"backbone": backbone("vit"), "num_classes": L, **options}
            )


if __name__ == "__main__":
    tf.test.main()
