"""Tests for the steps of tf_simmim.models.classifier, taken in other ways.

With layer-wise learning rates and averages of the weights, each way is
compared with the plain one: whole batch, eagerly, one replica.
"""

import os

import numpy as np
import pytest
import tensorflow as tf

from tests.models import contract
from tf_simmim import models
from tf_simmim import optimization

L = 7
IMAGES = contract.images((16, 24))
LABELS = np.arange(contract.B) % L


def create(ema_momentum=0.75, **options):
    """Returns a compiled classifier; the same weights each time."""
    model = ClassifierStepsTest.create()
    optimizer = create_optimizer(model, ema_momentum)
    model.compile(optimizer, **options)
    return model


def create_optimizer(model, ema_momentum=0.75):
    return optimization.create_optimizer(
        "adamw",
        model,
        optimization.WarmupCosine(4e-3, 20, 2, 1e-4, min_learning_rate=1e-5),
        clip_global_norm=0.2,
        layer_decay=0.5,
        ema_momentum=ema_momentum,
    )


class ClassifierStepsTest(contract.ModelContract, tf.test.TestCase):
    element = {"image": IMAGES, "label": LABELS}
    ways = [("vit", 2, 1, False), ("vit", 1, 4, True)]
    vit_options = {"relative_position": "per_block", "final_norm": False}

    @classmethod
    def create_model(cls, backbone):
        model = models.Classifier(backbone, L)
        # A kernel that lets gradients through, and clipping at work.
        kernel = model.head.linear.kernel
        rng = np.random.default_rng(1)
        kernel.assign(0.1 * rng.normal(size=kernel.shape))
        return model

    @classmethod
    def create_optimizer(cls, model):
        return create_optimizer(model)

    def test_evaluation_is_of_averages_and_training_of_the_weights(self):
        model = create(run_eagerly=True)
        element = {"image": IMAGES, "label": LABELS}
        for _ in range(2):
            model.train_on_batch(element)
        raw = [weight.numpy() for weight in model.trainable_variables]
        averages = [a.numpy() for a in model.optimizer.averages]
        got = model.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
        predicted = model.predict(IMAGES, verbose=0)
        for weight, value in zip(model.trainable_variables, raw, strict=True):
            self.assertAllEqual(weight, value)

        self.assertNotAllClose(raw[-1], averages[-1])
        twin = create(ema_momentum=None, run_eagerly=True)
        for weight, value in zip(
            twin.trainable_variables, averages, strict=True
        ):
            weight.assign(value)
        want = twin.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
        self.assertAllClose(got, want)
        self.assertAllClose(predicted, twin(IMAGES))

    def test_lent_averages_come_back_whatever_happens(self):
        model = create(run_eagerly=True)
        model.train_on_batch(IMAGES, LABELS)
        raw = model.head.linear.kernel.numpy()
        average = model.optimizer.averages[-2].numpy()
        with self.assertRaises(KeyError):
            with optimization.averaged_weights(model):
                self.assertAllEqual(model.head.linear.kernel, average)
                with optimization.averaged_weights(model):
                    self.assertAllEqual(model.head.linear.kernel, average)
                self.assertAllEqual(model.head.linear.kernel, average)
                raise KeyError
        self.assertAllEqual(model.head.linear.kernel, raw)

    def test_a_bad_image_leaves_averages_and_moments_as_they_are(self):
        model = create(run_eagerly=True, accumulation_steps=4)
        model.train_on_batch(IMAGES, LABELS)
        kept = [
            *model.trainable_variables,
            *(v for v in model.optimizer.variables if v.dtype.is_floating),
        ]
        before = [variable.numpy() for variable in kept]
        images = IMAGES.copy()
        images[5, 3, 4, 1] = np.nan
        model.reset_metrics()
        logs = model.train_on_batch(images, LABELS, return_dict=True)
        self.assertEqual(logs["skipped_steps"], 1)
        self.assertTrue(np.isnan(logs["accuracy"]))
        for variable, value in zip(kept, before, strict=True):
            self.assertAllEqual(variable, value)
        self.assertEqual(model.optimizer.iterations.numpy(), 2)

    @pytest.mark.slow
    def test_a_restored_checkpoint_goes_on_bit_for_bit(self):
        whole, first, second = (create(run_eagerly=True) for _ in range(3))
        path = os.path.join(self.get_temp_dir(), "state")
        for _ in range(2):
            whole.train_on_batch(IMAGES, LABELS)
        first.train_on_batch(IMAGES, LABELS)
        checkpoint(first).write(path)
        checkpoint(second).read(path).assert_existing_objects_matched()
        second.train_on_batch(IMAGES, LABELS)
        for a, b in zip(state(second), state(whole), strict=True):
            self.assertAllEqual(a, b)


def checkpoint(model):
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


def state(model):
    """Returns all numbers of a checkpoint."""
    root = checkpoint(model)
    return [
        trackable.numpy()
        for trackable in tf.train.TrackableView(root).descendants()
        if isinstance(trackable, tf.Variable)
    ]


if __name__ == "__main__":
    tf.test.main()
