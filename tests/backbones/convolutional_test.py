"""Tests for tf_simmim.backbones.convolutional.

What holds for every backbone is in `contract.py`.
"""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.backbones import contract
from tf_simmim import backbones
from tf_simmim import randomness

B, SIZE, C = 2, (16, 24), 2
GRID = (4, 6)


class ConvolutionalContract(contract.BackboneContract):
    backbone = backbones.Convolutional
    # The last convolutions reach over the whole map.
    options = dict(
        image_size=SIZE,
        patch_size=4,
        extractor="convnext_tiny",
        depths=(2, 1),
        widths=(6, 10),
        channels=C,
    )
    variants = [{"masking": "stem_token"}]

    def create(self, **options):
        options = {**self.options, **options}
        del options["patch_size"]  # it follows from the stem
        return self.backbone(**options)


class ConvNeXtTest(
    ConvolutionalContract, tf.test.TestCase, parameterized.TestCase
):
    @pytest.mark.slow
    def test_a_variable_of_another_network_has_no_layer_id(self):
        super().test_a_variable_of_another_network_has_no_layer_id()

    def test_attributes_describe_the_network(self):
        network = self.create()
        self.assertEqual(network.image_size, SIZE)
        self.assertEqual(network.grid_size, GRID)
        self.assertEqual((network.patch_size, network.stride), (4, 8))
        self.assertEqual((network.num_features, network.channels), (10, C))
        self.assertEqual((network.depths, network.widths), ((2, 1), (6, 10)))
        self.assertEqual(
            (network.extractor, network.masking), ("convnext_tiny", "color")
        )
        self.assertTrue(network.built)

    @parameterized.parameters(False, True)
    def test_equals_its_formula(self, training):
        """Every layer by hand, from the paper's figure 4."""
        network = self.create_random(drop_path_rate=0.8)
        weights = {w.name.partition("/")[2]: w for w in network.weights}

        def norm(x, name):
            gamma, beta = (weights[f"{name}/{w}:0"] for w in ("gamma", "beta"))
            mean, variance = tf.nn.moments(x, [-1], keepdims=True)
            return gamma * (x - mean) / tf.sqrt(variance + 1e-6) + beta

        def affine(x, name, size=1, kernel="kernel"):
            k = weights[f"{name}/{kernel}:0"]
            if kernel == "depthwise_kernel":
                x = tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME")
            elif size > 1:
                x = tf.nn.conv2d(x, k, size, "VALID")
            else:
                x = x @ k
            return x + weights[f"{name}/bias:0"]

        hidden = self.mask.repeat(4, 1).repeat(4, 2)[..., np.newaxis] == 1
        x = tf.where(hidden, weights["mask_color/mask_color:0"], self.images)
        x = norm(affine(x, "stem/stem_conv", 4), "stem/stem_layernorm")
        for number, place in enumerate([(0, 0), (0, 1), (1, 0)]):
            name = "stage_{}_block_{}/body".format(*place)
            if place == (1, 0):
                x = norm(x, f"{name}/downsampling_layernorm")
                x = affine(x, f"{name}/downsampling_conv", 2)
            y = affine(x, f"{name}/depthwise_conv", kernel="depthwise_kernel")
            y = affine(norm(y, f"{name}/layernorm"), f"{name}/pointwise_conv_1")
            y = affine(tf.nn.gelu(y), f"{name}/pointwise_conv_2")
            y *= weights[f"{name}/layer_scale/gamma:0"]
            if training:
                rate = 0.4 * number
                seed = randomness.fold_in(contract.seed(), number)
                keep = randomness.uniform([B], seed) >= rate
                keep = tf.cast(keep, tf.float32)[:, None, None, None]
                y *= keep / (1 - rate)
            x += y
        got = network(
            self.images,
            patch_mask=self.mask,
            training=training,
            seed=contract.seed(),
        )
        want = norm(x, "norm/layer_normalization")
        self.assertAllClose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
class StemTokenTest(ConvolutionalContract, tf.test.TestCase):
    options = {**ConvolutionalContract.options, "masking": "stem_token"}
    variants = []


class ResNetTest(
    ConvolutionalContract, tf.test.TestCase, parameterized.TestCase
):
    options = {
        **ConvolutionalContract.options,
        "extractor": "resnet18",
        "image_size": (8, 16),
    }
    variants = [{"masking": "stem_token"}]


@pytest.mark.slow
class ResNetVersion2Test(ConvolutionalContract, tf.test.TestCase):
    options = {
        **ConvolutionalContract.options,
        "extractor": "resnet50_v2",
        "image_size": (8, 16),
        "depths": (3,),
        "widths": (12,),
        "masking": "stem_token",
    }
    variants = [{"masking": "color"}]

    def test_gradient_reaches_every_weight_in_training(self):
        # Keras gives convolutions a bias that the last norm takes out again.
        backbone = self.create_random()
        with tf.GradientTape() as tape:
            y = backbone(self.images, patch_mask=self.mask, training=True)
            loss = tf.reduce_sum(y * self.rng.normal(size=y.shape))
        variables = backbone.trainable_variables
        gradients = tape.gradient(loss, variables)
        for variable, grad in zip(variables, gradients, strict=True):
            self.assertIsNotNone(grad, variable.name)
            if "conv/bias" not in variable.name:
                self.assertGreater(np.abs(grad).max(), 1e-5, variable.name)


if __name__ == "__main__":
    tf.test.main()
