"""Tests for tf_simmim.backbones.network_plan and extractors."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim.backbones import extractors
from tf_simmim.backbones import network_plan


class NetworkPlanTest(tf.test.TestCase, parameterized.TestCase):
    # Weights with the biases and norms that Keras counts: see presets_test.
    @parameterized.parameters(
        ("convnext_tiny", (3, 3, 9, 3), (96, 192, 384, 768)),
        ("resnet18", (2, 2, 2, 2), (64, 128, 256, 512)),
        ("resnet50", (3, 4, 6, 3), (256, 512, 1024, 2048)),
    )
    def test_an_extractor_has_its_own_depths_and_widths(
        self, name, depths, widths
    ):
        plan = network_plan.plan(name, None, None, 3)
        self.assertEqual((plan.depths, plan.widths), (depths, widths))
        self.assertEqual(plan.stride, 32)
        want = [4] + sum(([4 * 2**s] * n for s, n in enumerate(depths)), [])
        self.assertAllEqual(plan.strides, want)

    def test_version_2_has_its_strides_in_the_last_blocks(self):
        plan = network_plan.plan("resnet50_v2", None, None, 3)
        want = [4] + [4, 4, 8] + [8] * 3 + [16] * 6 + [32] * 4
        self.assertAllEqual(plan.strides, want)
        shorter = network_plan.plan("resnet50_v2", (2, 2), None, 3)
        self.assertEqual(shorter.strides, (4, 4, 8, 8, 16))

    @parameterized.parameters("convnext_tiny", "resnet18", "resnet50_v2")
    def test_knows_strides_and_widths_before_they_exist(self, name):
        options = dict(depths=(2, 2), widths=(8, 12), channels=2)
        plan = network_plan.plan(name, **options)
        network = backbones.Convolutional((32, 64), name, **options)
        features = network.block_features(np.zeros([1, 32, 64, 2]), [1, 3])
        for got, stride, width in zip(
            features, (plan.strides[2], plan.strides[4]), (8, 12), strict=True
        ):
            shape = [1, 32 // stride, 64 // stride, width]
            self.assertEqual(got.shape, shape)

    def test_every_node_of_a_part_has_a_name_of_its_own(self):
        network = extractors.extractor("convnext_tiny")
        parts = [network.stem, network.norm]
        parts += [block.body for stage in network.stages for block in stage]
        for part in parts:
            names = [node.name for node in part.nodes]
            self.assertLen(set(names), len(names))

    @parameterized.parameters(
        ({"depths": (4, 3)}, "`depths` must have one positive .*at most"),
        ({"depths": (1, 0)}, "`depths` must have one positive"),
        ({"depths": ()}, "`depths` must have one positive"),
        ({"depths": (1,) * 5}, "`depths` must have one positive"),
        ({"depths": (1.5,)}, "`depths` must have one positive"),
        ({"widths": (8, 8)}, "`widths` must have one positive"),
        ({"depths": (1,), "widths": (0,)}, "`widths` must have one positive"),
        (
            {"extractor": "resnet50", "depths": (1,), "widths": (6,)},
            "`widths` must leave whole numbers.*64 where the stage gives 256",
        ),
        (
            {"extractor": "resnet50_v2", "depths": (1,)},
            "`depths` must be at least 2 in stages whose last block has",
        ),
        ({"extractor": "vgg16"}, "`extractor` must be one of"),
        ({"masking": "token"}, "`masking` must be one of"),
        ({"channels": 0}, "`channels` must be at least 1"),
        ({"drop_path_rate": 1.0}, r"`drop_path_rate` must lie in \[0, 1\)"),
        ({"image_size": (40, 64)}, r"`stride` \(32 px\).*32x64 or 64x64"),
    )
    def test_impossible_options_are_refused(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            backbones.Convolutional(**{"image_size": (32, 64), **options})


if __name__ == "__main__":
    tf.test.main()
