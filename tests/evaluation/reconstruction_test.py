"""Tests for tf_simmim.evaluation.reconstruction."""

import numpy as np
import pytest
import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import evaluation
from tf_simmim import models


class ReconstructionLossTest(tf.test.TestCase):
    @pytest.mark.slow
    def test_it_is_the_loss_of_all_images_at_once(self):
        backbone = backbones.ViT(
            (8, 12), patch_size=4, embed_dim=12, depth=1, num_heads=3
        )
        model = models.SimMIM(backbone, mask_patch_size=4)
        rng = np.random.default_rng(0)
        images = rng.normal(size=[5, 8, 12, 3]).astype(np.float32)
        mask = np.stack([rng.permutation([[1, 1, 0], [1, 1, 0]])] * 5)
        element = {"image": images, "patch_mask": mask}
        dataset = tf.data.Dataset.from_tensor_slices(element).batch(2)
        wanted = model.reconstruct(images, mask)["loss"]
        for _ in range(2):  # twice: nothing is left over in the metrics
            loss = evaluation.reconstruction_loss(model, dataset)
            self.assertAllClose(loss, wanted, rtol=1e-5)


if __name__ == "__main__":
    tf.test.main()
