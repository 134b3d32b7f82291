"""Tests for the steps of tf_simmim.models.classifier, taken in other ways.

With layer-wise learning rates and averages of the weights, each way is
compared with the plain one: whole batch, eagerly, one replica.
"""

import functools
import os

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import models
from tf_simmim import optimization

B, H, W, C, L = 8, 16, 24, 2, 7
IMAGES = np.random.default_rng(0).normal(size=[B, H, W, C]).astype(np.float32)
LABELS = np.arange(B) % L


def create(ema_momentum=0.75, learning_rate=None, **options):
    """Returns a compiled classifier; the same weights each time."""
    tf.keras.utils.set_random_seed(0)
    backbone = backbones.ViT(
        (H, W),
        patch_size=8,
        embed_dim=6,
        depth=2,
        num_heads=3,
        channels=C,
        relative_position="per_block",
        drop_path_rate=0.5,
        final_norm=False,
    )
    model = models.Classifier(backbone, L)
    # A kernel that lets gradients through, and clipping at work.
    kernel = 0.1 * np.random.default_rng(1).normal(size=[6, L])
    model.head.linear.kernel.assign(kernel)
    optimizer = optimization.create_optimizer(
        "adamw",
        model,
        learning_rate
        or optimization.WarmupCosine(4e-3, 20, 2, 1e-4, min_learning_rate=1e-5),
        clip_global_norm=0.2,
        layer_decay=0.5,
        ema_momentum=ema_momentum,
    )
    model.compile(optimizer, **options)
    return model


def train(replicas=1, **options):
    """Returns {what: numbers} of two steps, and of evaluation after them."""
    strategy = tf.distribute.get_strategy()
    if replicas == 2:
        strategy = replicas_lib.two_replicas()
    with strategy.scope():
        model = create(**options)
    logs = model.fit(
        replicas_lib.repeated((IMAGES, LABELS), 2),
        validation_data=replicas_lib.repeated((IMAGES, LABELS), 1),
        verbose=0,
    ).history
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return {
        "logs": {name: values[0] for name, values in logs.items()},
        "weights": [w.numpy() for w in model.trainable_variables],
        "averages": [w.numpy() for w in optimizer.averages],
    }


@functools.cache
def plain():
    return train(run_eagerly=True)


class ClassifierStepsTest(tf.test.TestCase, parameterized.TestCase):
    def test_micro_batches_give_the_numbers_of_the_whole(self):
        states, logs = [], []
        for parts in (1, 4):
            model = create(run_eagerly=True, accumulation_steps=parts)
            logs.append(model.train_on_batch(IMAGES, LABELS, return_dict=True))
            states.append([*model.trainable_variables])
            states[-1] += model.optimizer.averages
        self.assertAllClose(logs[1], logs[0], rtol=1e-6, atol=1e-6)
        for a, b in zip(*states, strict=True):
            self.assertAllClose(a, b, rtol=0, atol=1e-6)

    @parameterized.parameters((2, 1, False), (1, 4, True))
    @pytest.mark.slow
    def test_every_way_of_taking_a_step_gives_the_same_numbers(
        self, replicas, accumulation_steps, jit_compile
    ):
        result, wanted = (
            train(
                replicas,
                accumulation_steps=accumulation_steps,
                jit_compile=jit_compile,
            ),
            plain(),
        )
        self.assertGreater(wanted["logs"]["gradient_norm"], 0.2)  # is clipped
        self.assertEqual(result["logs"].keys(), wanted["logs"].keys())
        for name, value in wanted["logs"].items():
            self.assertAllClose(
                result["logs"][name], value, rtol=1e-6, atol=1e-6, msg=name
            )
        for what in ("weights", "averages"):
            self.assertLen(result[what], len(wanted[what]))
            for a, b in zip(result[what], wanted[what], strict=True):
                self.assertAllClose(a, b, rtol=0, atol=1e-6)

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

    @parameterized.parameters(("bfloat16", 0.02), ("float16", 0.005))
    def test_a_step_in_16_bits_is_near_that_of_float32(
        self, precision, tolerance
    ):
        wanted = create(run_eagerly=True).train_on_batch(
            IMAGES, LABELS, return_dict=True
        )
        tf.keras.mixed_precision.set_global_policy(f"mixed_{precision}")
        self.addCleanup(tf.keras.mixed_precision.set_global_policy, "float32")
        model = create(run_eagerly=True)
        before = model.backbone.patch_embedding.projection.kernel.numpy()
        logs = model.train_on_batch(IMAGES, LABELS, return_dict=True)
        for name in ("loss", "gradient_norm"):
            self.assertAllClose(
                logs[name], wanted[name], rtol=tolerance, atol=0, msg=name
            )
        self.assertEqual(model(IMAGES).dtype, tf.float32)
        after = model.backbone.patch_embedding.projection.kernel.numpy()
        # The first layer is the slowest: float16's loss scale is no obstacle.
        self.assertNotAllEqual(after, before)
        self.assertEqual(after.dtype, np.float32)
        model.evaluate(IMAGES, LABELS, verbose=0)
        self.assertAllEqual(
            model.backbone.patch_embedding.projection.kernel, after
        )


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
