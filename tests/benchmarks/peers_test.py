"""Tests for what benchmarks/peers.py compares."""

import numpy as np
import peers
from absl import flags

from tf_simmim import masking


def test_no_hidden_pixel_has_a_gradient_that_rounding_decides():
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["peers.py"])
    model, element, _ = peers.create_problem("vit_nano@64")
    images, mask = element["image"].numpy(), element["patch_mask"]
    hidden = masking.to_pixel_mask(mask, model.backbone.patch_size).numpy() == 1
    assert 0 < hidden.sum() < hidden.size

    def prediction(images):
        return model.reconstruct(images, mask)["reconstruction"].numpy()

    found = prediction(images)
    assert np.abs(images - found)[hidden].min() > 9e-4
    # Predicted exactly: all of them move, and nothing else does.
    exact = np.where(hidden[..., np.newaxis], found, images)
    moved = peers.without_exact_pixels(model, exact, mask)
    np.testing.assert_array_equal(moved[~hidden], images[~hidden])
    np.testing.assert_allclose((moved - found)[hidden], 2e-3, atol=1e-6)
    np.testing.assert_array_equal(prediction(moved), found)
