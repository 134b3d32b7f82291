"""Tests for tf_simmim.models.detector."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import contract
from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import boxes
from tf_simmim import losses
from tf_simmim import models
from tf_simmim import optimization
from tf_simmim.models import pyramids

B, C = contract.B, contract.C
H, W, L, N = 32, 48, 3, 4
IMAGES = contract.images((H, W))


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


def off_zero(model):
    """Makes the last kernels large: tiny gradients would be all rounding."""
    rng = np.random.default_rng(2)
    for layer in (model.head.classification, model.head.box):
        kernel = layer.kernel
        kernel.assign(rng.normal(scale=0.1, size=kernel.shape))


def backbone(kind):
    return contract.backbone(kind, (H, W))


class DetectorTest(
    contract.ModelContract, tf.test.TestCase, parameterized.TestCase
):
    element = {"image": IMAGES, **TRUTH}
    ways = [
        ("vit", 2, 2, False),
        ("swin", 1, 2, True),
        ("convolutional", 2, 1, False),
    ]
    clip_norm = 0.5

    @classmethod
    def create_model(cls, backbone):
        model = models.Detector(
            backbone, L, width=7, num_convolutions=1, seed=3
        )
        off_zero(model)
        return model

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

    @pytest.mark.slow
    def test_the_loss_of_an_evaluation_is_that_of_its_outputs(self):
        model = self.create()
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
        model = self.create("swin")
        model.compile(optimization.create_optimizer("adamw", model, 1e-2))
        dataset = replicas_lib.repeated({**self.element, "image": images}, 40)
        before = model.evaluate(dataset.take(1), verbose=0, return_dict=True)
        history = model.fit(dataset, verbose=0).history
        after = model.evaluate(dataset.take(1), verbose=0, return_dict=True)
        self.assertLess(after["loss"], 0.5 * before["loss"])
        self.assertEqual(history["skipped_steps"], [0])

    @pytest.mark.slow
    def test_predictions_are_what_is_detected(self):
        model = self.create()
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

    def test_elements_without_what_is_needed_are_refused(self):
        model = self.create()
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
