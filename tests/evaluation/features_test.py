"""Tests for tf_simmim.evaluation.features."""

import numpy as np
import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import evaluation

N, H, W, C = 5, 16, 24, 3


class FeaturesTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        generator = np.random.default_rng(1)
        self.images = generator.normal(size=[N, H, W, C]).astype(np.float32)
        self.labels = np.array([3, 1, 4, 1, 5])
        # The last batch is smaller than the others.
        self.dataset = tf.data.Dataset.from_tensor_slices(
            {"image": self.images, "label": self.labels}
        ).batch(2)

    def test_features_are_mean_patch_tokens_of_the_chosen_blocks(self):
        backbone = backbones.ViT(
            image_size=(H, W),
            patch_size=8,
            embed_dim=6,
            depth=3,
            num_heads=3,
            drop_path_rate=0.9,  # would show if training were on
        )
        before = [w.numpy() for w in backbone.weights]
        features, labels = evaluation.extract_features(
            backbone, self.dataset, blocks=[2, 0]
        )
        self.assertEqual(list(features), [2, 0])
        maps = backbone.block_features(self.images, [2, 0])
        for block, feature_map in zip([2, 0], maps, strict=True):
            self.assertEqual(features[block].dtype, np.float32)
            self.assertAllClose(
                features[block], feature_map.numpy().mean((1, 2)), atol=1e-6
            )
        self.assertAllEqual(labels, self.labels)
        self.assertEqual(labels.dtype, np.int64)
        for weight, value in zip(backbone.weights, before, strict=True):
            self.assertAllEqual(weight, value)

    def test_raw_pixels_are_the_images_flattened(self):
        features, labels = evaluation.raw_pixel_features(self.dataset)
        self.assertAllEqual(features, self.images.reshape(N, -1))
        self.assertAllEqual(labels, self.labels)

    def test_large_images_are_averaged_down(self):
        features, _ = evaluation.raw_pixel_features(self.dataset, 12)
        means = self.images.reshape(N, 8, 2, 12, 2, C).mean((2, 4))
        self.assertAllClose(features, means.reshape(N, -1), atol=1e-6)

    def test_data_set_of_unknown_length_works(self):
        dataset = self.dataset.filter(lambda element: True)
        features, _ = evaluation.raw_pixel_features(dataset)
        self.assertEqual(features.shape, (N, H * W * C))

    def test_elements_without_labels_are_refused(self):
        dataset = self.dataset.map(lambda element: {"image": element["image"]})
        for bad in (dataset, dataset.map(lambda element: element["image"])):
            with self.assertRaisesRegex(ValueError, "with the key `label`"):
                evaluation.raw_pixel_features(bad)

    def test_empty_data_set_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`dataset`"):
            evaluation.raw_pixel_features(self.dataset.take(0))


if __name__ == "__main__":
    tf.test.main()
