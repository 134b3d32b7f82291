"""Tests for tf_simmim.models.simmim with a Swin for its backbone.

An image that is not square, patches smaller than the hidden squares, maps that
windows do not divide.
"""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.models import replicas as replicas_lib
from tf_simmim import backbones
from tf_simmim import masking
from tf_simmim import models
from tf_simmim import optimization

B, H, W, C, P = 4, 32, 48, 2, 4
GRID = (H // P, W // P)


def create(version=1, drop_path_rate=0.0, learning_rate=1e-2, **options):
    """Returns a compiled SimMIM; the same weights every time."""
    tf.keras.utils.set_random_seed(0)
    backbone = backbones.Swin(
        (H, W),
        embed_dim=8,
        depths=(2, 1),
        num_heads=(1, 2),
        window_size=3,
        channels=C,
        version=version,
        drop_path_rate=drop_path_rate,
    )
    model = models.SimMIM(backbone, mask_patch_size=16, mask_ratio=0.5)
    model.compile(
        optimizer=optimization.create_optimizer("adamw", model, learning_rate),
        **options,
    )
    return model


class SimMIMOfSwinTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.images = rng.normal(size=[B, H, W, C]).astype(np.float32)

    @parameterized.parameters((1, True), (2, False))
    @pytest.mark.slow
    def test_fit_on_plain_images_lowers_the_loss(self, version, jit_compile):
        model = create(version, drop_path_rate=0.2, jit_compile=jit_compile)
        # Of noise alone, there would be next to nothing to learn.
        images = self.images + np.float32([1, -1, 2])[:C]
        dataset = tf.data.Dataset.from_tensors(images).repeat(20)
        history = model.fit(dataset, epochs=2, verbose=0).history
        self.assertLess(history["loss"][1], 0.95 * history["loss"][0])
        self.assertGreater(history["gradient_norm"][0], 0)

    def test_hidden_squares_are_aligned_and_reconstructed_unseen(self):
        model = create()
        mask = model.random_mask.of_step(1, 2, B)
        self.assertEqual(mask.shape, [B, *GRID])
        self.assertAllEqual(tf.reduce_sum(mask, [1, 2]), [3 * 16] * B)
        hidden = masking.to_pixel_mask(mask, P).numpy()[..., None] == 1
        changed = np.where(hidden, self.images + 1, self.images)
        first = model.reconstruct(self.images, mask)
        second = model.reconstruct(changed, mask)
        self.assertEqual(first["reconstruction"].shape, [B, H, W, C])
        self.assertEqual(first["features"].shape, [B, 4, 6, 16])
        self.assertAllEqual(first["reconstruction"], second["reconstruction"])

    @pytest.mark.slow
    def test_two_replicas_train_like_one(self):
        """With drop path, masks drawn in the step, and clipping at work."""
        results = []
        for replicas in (1, 2):
            strategy = tf.distribute.get_strategy()
            if replicas == 2:
                strategy = replicas_lib.two_replicas()
            with strategy.scope():
                model = create(
                    drop_path_rate=0.5,
                    learning_rate=4e-4,
                    run_eagerly=replicas == 1,
                )
            dataset = replicas_lib.repeated(self.images, 3)
            history = model.fit(dataset, verbose=0)
            weights = [w.numpy() for w in model.trainable_variables]
            results.append({**history.history, "weights": weights})
        one, two = results
        self.assertAllClose(one["loss"], two["loss"], rtol=0, atol=1e-6)
        self.assertAllClose(one["gradient_norm"], two["gradient_norm"], 1e-5)
        for a, b in zip(one["weights"], two["weights"], strict=True):
            self.assertAllClose(a, b, rtol=0, atol=1e-6)


if __name__ == "__main__":
    tf.test.main()
