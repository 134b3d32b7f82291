"""Tests for tf_simmim.models.detector."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import replicas as two
from tf_simmim import backbones
from tf_simmim import boxes
from tf_simmim import data
from tf_simmim import losses
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim.models import pyramids

B, H, W, C, L, N = 8, 32, 48, 2, 3, 4
IMAGES = np.random.default_rng(0).normal(size=[B, H, W, C]).astype(np.float32)


def _truth():
    """Returns boxes and their classes: many in some images, none in others."""
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 16, [B, N, 2])
    size = rng.uniform(10, 16, [B, N, 2])
    found = np.concatenate([corner, corner + size], axis=-1).astype(np.float32)
    classes = rng.integers(0, L, [B, N])
    for image, count in enumerate((0, 4, 0, 1, 0, 0, 3, 2)):
        found[image, count:] = -1
        classes[image, count:] = -1
    return {"boxes": found, "box_classes": classes}


TRUTH = _truth()


def backbone(kind, **options):
    if kind == "vit":
        return backbones.ViT(
            (H, W),
            patch_size=16,
            # Enlarged fourfold, the map has a quarter of the features: of one
            # alone, the norm after it would leave nothing but its sign.
            embed_dim=12,
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
            window_size=(4, 6),
            channels=C,
            **options,
        )
    return backbones.Convolutional(
        (H, W), "resnet18", depths=(1, 1), widths=(6, 10), channels=C, **options
    )


def create(kind="vit", learning_rate=None, **options):
    tf.keras.utils.set_random_seed(0)
    model = models.Detector(
        backbone(kind, drop_path_rate=0.5),
        L,
        width=7,
        num_convolutions=1,
        seed=3,
    )
    off_zero(model)
    # AdamW would make steps of the same size of gradients that are rounding.
    optimizer = tf.keras.optimizers.SGD(0.02, global_clipnorm=0.5)
    if learning_rate is not None:
        optimizer = optimization.create_optimizer("adamw", model, learning_rate)
    model.compile(optimizer, **options)
    return model


def off_zero(model):
    """Makes the last kernels large: tiny gradients would be all rounding."""
    rng = np.random.default_rng(2)
    for layer in (model.head.classification, model.head.box):
        kernel = layer.kernel
        kernel.assign(rng.normal(scale=0.1, size=kernel.shape))


def element(images=IMAGES):
    return {"image": images, **TRUTH}


def train(kind="vit", replicas=1, **options):
    """Returns {what: numbers} of two steps, and of an evaluation."""
    strategy = tf.distribute.get_strategy()
    if replicas == 2:
        strategy = two.two_replicas()
    with strategy.scope():
        model = create(kind, **options)
    history = model.fit(two.repeated(element(), 2), verbose=0).history
    result = {name: np.array(values) for name, values in history.items()}
    scores = model.evaluate(
        two.repeated(element(), 1), verbose=0, return_dict=True
    )
    result |= {f"test_{name}": score for name, score in scores.items()}
    return result, [w.numpy() for w in model.trainable_variables]


@functools.cache
def plain(kind):
    """Step by step without a graph: what every other way must give."""
    return train(kind, run_eagerly=True)


class DetectorTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(("vit", (4, 8, 16, 32)), ("swin", (4, 8)))
    def test_there_is_an_answer_for_each_anchor(self, kind, strides):
        model = models.Detector(backbone(kind), L, width=7, num_convolutions=0)
        self.assertEqual(model.strides, strides)
        num_anchors = 9 * sum((H // s) * -(-W // s) for s in strides)
        self.assertEqual(model.anchors.shape, (num_anchors, 4))
        for training in (False, True):
            outputs = model(IMAGES, training=training)
            self.assertEqual(outputs["box"].shape, [B, num_anchors, 4])
            logits = outputs["classification"]
            self.assertEqual(logits.shape, [B, num_anchors, L])
            self.assertEqual(logits.dtype, tf.float32)

    def test_coarser_maps_are_thinned_out_of_the_last_one(self):
        swin = backbones.Swin(
            image_size=(64, 88),
            patch_size=4,
            embed_dim=4,
            depths=(1, 1),
            num_heads=(1, 2),
            window_size=(8, 11),
            channels=C,
        )
        model = models.Detector(swin, L, width=7, num_convolutions=0)
        self.assertEqual(model.strides, (4, 8, 16))
        rng = np.random.default_rng(3)
        images = rng.normal(size=[2, 64, 88, C]).astype(np.float32)
        (_, last) = pyramids.maps_of(swin, model.pyramid, images, False, None)
        wanted = model.head([last[:, ::2, ::2]])  # 4 x 6 of 8 x 11 cells
        for name, value in model(images).items():
            self.assertAllClose(value[:, -9 * 4 * 6 :], wanted[name])

    def test_drop_path_follows_its_seed(self):
        model = models.Detector(
            backbone("vit", drop_path_rate=0.5), L, 7, num_convolutions=0
        )
        off_zero(model)
        seeds = [tf.constant([1, n], tf.int64) for n in (0, 0, 1)]
        a, b, c = (
            model(IMAGES, training=True, seed=seed)["box"] for seed in seeds
        )
        self.assertAllEqual(a, b)
        self.assertNotAllClose(a, c)
        self.assertAllEqual(
            model(IMAGES)["box"], model({"image": IMAGES})["box"]
        )

    @pytest.mark.slow
    def test_the_loss_of_an_evaluation_is_that_of_its_outputs(self):
        model = create()
        dataset = tf.data.Dataset.from_tensor_slices((IMAGES, TRUTH))
        scores = model.evaluate(dataset.batch(4), verbose=0, return_dict=True)
        targets = tf.function(boxes.AnchorTargets(model.anchors))(**TRUTH)
        self.assertGreater(np.sum(targets[1] >= 0), 20)
        of_classes, of_boxes = losses.detection_losses(
            **model(IMAGES),
            box_targets=targets[0],
            class_targets=targets[1],
        )
        want = {
            "loss": of_classes + of_boxes,
            "classification_loss": of_classes,
            "box_loss": of_boxes,
        }
        self.assertEqual(scores.keys(), want.keys())
        for name, value in want.items():
            self.assertAllClose(scores[name], value, rtol=1e-5, msg=name)

    @pytest.mark.slow
    def test_a_share_without_images_changes_nothing_of_an_evaluation(self):
        model = create("swin")
        batch = {"image": IMAGES, **TRUTH}
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

    def test_training_learns_to_find_bright_boxes(self):
        images = 0.1 * IMAGES
        for image, (found, classes) in enumerate(
            zip(TRUTH["boxes"], TRUTH["box_classes"], strict=True)
        ):
            for box, label in zip(
                np.round(found).astype(int), classes, strict=True
            ):
                if label >= 0:
                    images[image, box[0] : box[2], box[1] : box[3]] += [
                        2.0 - label,
                        1.0,
                    ]
        model = create("swin", learning_rate=1e-2)
        dataset = two.repeated(element(images), 40)
        before = model.evaluate(dataset.take(1), verbose=0, return_dict=True)
        history = model.fit(dataset, verbose=0).history
        after = model.evaluate(dataset.take(1), verbose=0, return_dict=True)
        self.assertLess(after["loss"], 0.5 * before["loss"])
        self.assertEqual(history["skipped_steps"], [0])

    @pytest.mark.slow
    def test_predictions_are_what_is_detected(self):
        model = create()
        for weight in model.head.weights:
            weight.assign(tf.zeros_like(weight))  # each class by half
        found = model.predict(
            tf.data.Dataset.from_tensor_slices({"image": IMAGES}).batch(4),
            verbose=0,
        )
        wanted = model.detect(IMAGES)
        self.assertEqual(found.keys(), wanted.keys())
        for name, value in wanted.items():
            self.assertAllClose(found[name], value, msg=name)
        self.assertAllGreater(found["num_detections"], 3)
        # No offset: the boxes are anchors.
        distance = np.abs(found["boxes"][0, 0] - model.anchors).max(axis=-1)
        self.assertLess(distance.min(), 1e-3)

    def test_a_bad_image_skips_the_step(self):
        images = IMAGES.copy()
        images[5, 3, 4, 1] = np.nan
        model = create(accumulation_steps=4, run_eagerly=True)
        before = [w.numpy() for w in model.trainable_variables]
        logs = model.train_on_batch(element(images), return_dict=True)
        self.assertEqual(logs["skipped_steps"], 1)
        for a, b in zip(before, model.trainable_variables, strict=True):
            self.assertAllEqual(a, b)

    def test_pixels_are_normalised_by_the_model(self):
        model = models.Detector(backbone("vit"), L, 7, num_convolutions=0)
        pixels = np.random.default_rng(2).integers(0, 256, IMAGES.shape)
        pixels = pixels.astype(np.uint8)
        with self.assertRaisesRegex(ValueError, "`image` must be float"):
            model(pixels)
        normalization = data.Normalization((0.3, 0.4), (0.2, 0.1))
        model.normalize = normalization.normalize
        wanted = model(normalization.normalize(pixels))
        self.assertAllEqual(model(pixels)["box"], wanted["box"])

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
        with self.assertRaisesRegex(ValueError, "keys `boxes` and `box_cl"):
            model.train_on_batch({"image": IMAGES, "boxes": TRUTH["boxes"]})
        with self.assertRaisesRegex(ValueError, "the key `image`, and"):
            model(TRUTH)

    @parameterized.parameters(
        {"num_classes": 0}, {"width": 0}, {"num_convolutions": -1}
    )
    def test_impossible_arguments_are_refused(self, **options):
        with self.assertRaisesRegex(ValueError, "must be positive"):
            models.Detector(
                **{"backbone": backbone("vit"), "num_classes": L, **options}
            )


if __name__ == "__main__":
    tf.test.main()
