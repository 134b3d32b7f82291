"""Tests of `ScalableModel.is_half_updated`: which errors spoil the state."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import models

H, W, C = 16, 24, 2
IMAGES = np.random.default_rng(0).normal(size=[4, H, W, C]).astype(np.float32)


class FailingOptimizer(tf.keras.optimizers.SGD):
    """Fails at a step, in the update of the prediction head."""

    def __init__(self, step):
        super().__init__(0.1)
        self.step = tf.constant(step, tf.int64)

    def update_step(self, gradient, variable):
        if variable.name.startswith("head/"):
            gradient = require(self.iterations != self.step, gradient)
        super().update_step(gradient, variable)


def require(condition, tensor):
    """Returns a tensor, or fails if a condition does not hold."""
    assertion = tf.debugging.Assert(condition, ["not so"])
    with tf.control_dependencies([] if assertion is None else [assertion]):
        return tf.identity(tensor)


def create(kind, fail_at=-1, **options):
    """Returns a compiled SimMIM that fails with bright images."""
    if kind == "vit":
        backbone = backbones.ViT((H, W), 8, 6, 1, 3, channels=C)
    else:  # with moving statistics, which the forward pass changes
        backbone = backbones.Convolutional(
            (H, W), "resnet18", depths=(1, 1), widths=(8, 12), channels=C
        )
    model = models.SimMIM(backbone, mask_patch_size=8, mask_ratio=0.5)
    loss = model._loss

    def loss_or_error(images, *args):
        return require(tf.reduce_max(images) < 50.0, loss(images, *args))

    model._loss = loss_or_error
    model.compile(FailingOptimizer(fail_at), **options)
    return model


def fail(kind, fail_at, images, replicas=1, **options):
    """Takes two steps and fails in the third.

    Returns:
        (the model, names of the weights and metrics that changed in it).
    """
    strategy = tf.distribute.get_strategy()
    if replicas == 2:
        strategy = replicas_lib.two_replicas()
    with strategy.scope():
        model = create(kind, fail_at, **options)
    values = []

    class Remember(tf.keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert not model.is_half_updated()
            values[:] = [v.numpy() for v in model.weights]

    dataset = replicas_lib.repeated(IMAGES, 2)
    dataset = dataset.concatenate(replicas_lib.repeated(images, 1))
    assert not model.is_half_updated()
    with pytest.raises(tf.errors.InvalidArgumentError, match="not so"):
        model.fit(dataset, verbose=0, callbacks=[Remember()])
    changed = [
        v.name
        for v, old in zip(model.weights, values, strict=True)
        if (v.numpy() != old).any()
    ]
    return model, changed


class HalfUpdatedTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(1, 2)
    @pytest.mark.slow
    def test_error_in_the_graph_before_the_update_changes_nothing(
        self, replicas
    ):
        model, changed = fail("vit", -1, IMAGES + 99.0, replicas)
        self.assertEqual(changed, [])
        self.assertFalse(model.is_half_updated())

    @parameterized.parameters(1, 2)
    @pytest.mark.slow
    def test_error_in_the_graph_in_the_update_is_known(self, replicas):
        model, _ = fail("vit", 2, IMAGES, replicas)
        self.assertTrue(model.is_half_updated())

    def test_errors_before_and_in_an_eager_update_are_told_apart(self):
        model, changed = fail("vit", -1, IMAGES + 99.0, run_eagerly=True)
        self.assertEqual(changed, [])
        self.assertFalse(model.is_half_updated())
        model, changed = fail("vit", 2, IMAGES, run_eagerly=True)
        self.assertNotEmpty(changed)
        self.assertTrue(model.is_half_updated())

    @pytest.mark.slow
    def test_moving_statistics_are_spoilt_by_an_error_in_the_forward_pass(self):
        model, changed = fail("resnet", -1, IMAGES + 99.0)
        self.assertTrue(all("moving" in name for name in changed))
        self.assertTrue(model.is_half_updated())


if __name__ == "__main__":
    tf.test.main()
