"""Tests for tf_simmim.models.segmenter."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import contract
from tests.models import replicas as replicas_lib
from tf_simmim import losses
from tf_simmim import models
from tf_simmim import optimization

B, H, W, L = contract.B, 16, 24, 5
IMAGES = contract.images((H, W))
TRUTH = np.random.default_rng(1).integers(0, L, [B, H, W, 1]).astype(np.uint8)
# Many pixels without a class in the first images, none in the last.
TRUTH[0], TRUTH[1, :9], TRUTH[3, :, :5] = 255, 255, 255


def backbone(kind):
    return contract.backbone(kind, (H, W))


class SegmenterTest(
    contract.ModelContract, tf.test.TestCase, parameterized.TestCase
):
    element = {"image": IMAGES, "segmentation": TRUTH}
    ways = [("swin", 1, 2, True), ("convolutional", 2, 1, False)]

    @classmethod
    def create_model(cls, backbone):
        return models.Segmenter(backbone, L, width=7, seed=3)

    @parameterized.parameters("vit", "swin", "convolutional")
    def test_logits_are_float32_of_the_size_of_the_image(self, kind):
        model = models.Segmenter(backbone(kind), L, width=7)
        for training in (False, True):
            logits = model(IMAGES, training=training)
            self.assertEqual(logits.shape, [B, H, W, L])
            self.assertEqual(logits.dtype, tf.float32)

    def test_scores_of_an_evaluation_are_those_of_its_logits(self):
        model = self.create()
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

    @pytest.mark.slow
    def test_training_learns_to_tell_two_colours(self):
        images = np.zeros_like(IMAGES)
        images[:, :, 9:] = 2.0
        images += 0.1 * IMAGES
        truth = np.where(np.arange(W) < 9, 1, 3).astype(np.uint8)
        truth = np.broadcast_to(truth[:, np.newaxis], TRUTH.shape)
        model = self.create()
        model.compile(optimization.create_optimizer("adamw", model, 1e-2))
        element = {"image": images, "segmentation": truth}
        dataset = replicas_lib.repeated(element, 30)
        before = model.evaluate(dataset.take(1), verbose=0, return_dict=True)
        model.fit(dataset, verbose=0)
        after = model.evaluate(dataset.take(1), verbose=0, return_dict=True)
        self.assertLess(before["mean_iou"], 0.5)
        self.assertGreater(after["mean_iou"], 0.9)

    def test_elements_without_what_is_needed_are_refused(self):
        model = self.create()
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


class SegmenterOfWeightedClassesTest(contract.StepContract, tf.test.TestCase):
    """However a step is taken, a pixel counts as much as its class does."""

    element = SegmenterTest.element
    ways = [("vit", 2, 2, False)]
    weights = [0.1, 1.0, 0.7, 3.0, 1.0]

    @classmethod
    def create_model(cls, backbone):
        return models.Segmenter(
            backbone, L, width=7, seed=3, class_weights=cls.weights
        )

    def test_the_loss_of_an_evaluation_is_weighted(self):
        model = self.create(run_eagerly=True)
        want = losses.segmentation_loss(model(IMAGES), TRUTH, 255, self.weights)
        scores = model.test_on_batch(self.element, return_dict=True)
        self.assertAllClose(scores["loss"], want, rtol=1e-5)
        plain = losses.segmentation_loss(model(IMAGES), TRUTH)
        self.assertNotAllClose(want, plain)


if __name__ == "__main__":
    tf.test.main()
