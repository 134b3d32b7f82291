"""Tests for tf_simmim.backbones.presets."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.backbones import presets


class PresetsTest(tf.test.TestCase, parameterized.TestCase):
    # By hand, e.g. for ViT-B at 224 px with D = 768: 590,592 patch embedding,
    # 2 * 768 tokens, 732 * 12 relative positions, 12 blocks of 7,088,640 and
    # 1,536 in the final norm.
    @parameterized.parameters(
        ("vit_nano", 32, 676_704),
        ("vit_tiny", 224, 5_491_284),
        ("vit_small", 224, 21_599_400),
        ("vit_base", 224, 85_666_128),
    )
    def test_has_the_parameters_of_its_name(self, name, image_size, count):
        vit = presets.create(name, image_size)
        self.assertEqual(vit.count_params(), count)

    def test_large_has_the_published_sizes(self):
        # Not built: it has 303 million parameters.
        self.assertEqual(
            presets.PRESETS["vit_large"],
            dict(patch_size=16, embed_dim=1024, depth=24, num_heads=16),
        )

    def test_overrides_replace_arguments_of_the_preset(self):
        vit = presets.create(
            "vit_nano", (16, 24), depth=1, channels=1, drop_path_rate=0.1
        )
        self.assertEqual(vit.depth, 1)
        self.assertEqual(vit.drop_path_rate, 0.1)
        self.assertEqual(vit.embed_dim, 96)
        y = vit(np.zeros([2, 16, 24, 1], np.float32))
        self.assertEqual(y.shape, [2, 4, 6, 96])
        self.assertEqual(presets.PRESETS["vit_nano"]["depth"], 6)

    @parameterized.parameters(
        ("vit_bse", "Did you mean 'vit_base'"),
        ("zzz", r"one of \['vit_base', .*'vit_tiny'\]\. Received: 'zzz'"),
    )
    def test_unknown_name_is_refused_with_the_known_ones(self, name, message):
        with self.assertRaisesRegex(ValueError, message):
            presets.create(name, 224)


if __name__ == "__main__":
    tf.test.main()
