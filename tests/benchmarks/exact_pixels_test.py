"""Tests for benchmarks/exact_pixels.py."""

import exact_pixels
import numpy as np
import tensorflow as tf

from tests.export import tiny
from tf_simmim import masking


def test_a_hidden_pixel_that_is_predicted_exactly_is_moved_alone():
    model = tiny.simmim()
    images = np.random.default_rng(0).normal(size=[2, tiny.H, tiny.W, 3])
    images = images.astype(np.float32)
    mask = tf.constant([[[1, 0, 0], [0, 1, 1]], [[0, 1, 0], [1, 0, 1]]])

    def prediction(images):
        return model.reconstruct(images, mask)["reconstruction"].numpy()

    found = prediction(images)
    hidden = masking.to_pixel_mask(mask, tiny.P).numpy() == 1
    exact = np.where(hidden[..., np.newaxis], found, images)
    moved = exact_pixels.without_exact_pixels(model, exact, mask)
    np.testing.assert_array_equal(moved[~hidden], images[~hidden])
    np.testing.assert_allclose((moved - found)[hidden], 2e-3, atol=1e-6)
    np.testing.assert_array_equal(prediction(moved), found)
    # What is far from its prediction stays.
    far = np.where(hidden[..., np.newaxis], found + 0.5, images)
    kept = exact_pixels.without_exact_pixels(model, far, mask)
    np.testing.assert_array_equal(kept, far)
