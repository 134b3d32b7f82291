"""Tests for tf_simmim.backbones.presets."""

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import models
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

    @pytest.mark.slow
    def test_swin_base_has_the_published_number_of_parameters(self):
        # Of SimMIM with its head, at 192 px (mmpretrain's model index).
        model = models.SimMIM(presets.create("swin_base", 192))
        count = sum(w.shape.num_elements() for w in model.trainable_variables)
        self.assertEqual(count, 89_874_104)

    @pytest.mark.slow
    def test_swin_large_has_the_published_number_of_parameters(self):
        model = models.SimMIM(presets.create("swin_large", 192))
        count = sum(w.shape.num_elements() for w in model.trainable_variables)
        # The published number counts tables of 12 x 12 cells in the last
        # stage, whose map has 6 x 6: rows without use, in both blocks.
        unused = 2 * 48 * ((2 * 12 - 1) ** 2 - (2 * 6 - 1) ** 2)
        self.assertEqual(count + unused, 199_920_372)

    # By hand for Swin-T at 224 px: 4,896 patch embedding and norm, 96 mask
    # token, stages of 224,694, 891,756, 10,658,952 (with 6 blocks) and
    # 14,183,856, mergings of 74,496, 296,448 and 1,182,720, 1,536 in the norm;
    # 27,519,354 without the mask token, as torchvision without its classifier.
    def test_swin_tiny_has_the_published_number_of_parameters(self):
        swin = presets.create("swin_tiny", 224)
        self.assertEqual(swin.count_params() - 96, 27_519_354)

    # What `count_params` of Keras' and keras-cv's own models says, without
    # their heads: all but the colour of hidden pixels.
    @parameterized.parameters(
        ("convnext_tiny", 27_820_128),
        ("resnet18", 11_186_112),
        ("resnet50", 23_587_712),
        ("resnet50_v2", 23_564_800),
    )
    @pytest.mark.slow
    def test_convolutional_networks_have_the_parameters_of_keras(
        self, name, count
    ):
        network = presets.create(name, (32, 64))
        self.assertEqual(network.count_params() - 3, count)
        names = {weight.name for weight in network.weights}
        self.assertLen(names, len(network.weights))

    @parameterized.parameters(
        ("swin_tiny", 192, {}, (6, 6)),
        ("swin_base", 224, {}, (7, 7)),
        ("swin_large", 192, {}, (12, 12)),
        ("swin_large", 224, {}, (14, 14)),
        ("swin_v2_tiny", 192, {}, (12, 12)),
        ("swin_tiny", 256, {}, (8, 8)),
        ("swin_tiny", (96, 160), {}, (6, 10)),
        ("swin_tiny", 64, {}, (8, 8)),
        ("swin_tiny", 32, {"patch_size": 1}, (8, 8)),
        ("swin_tiny", 56, {"patch_size": 1}, (7, 7)),
        ("swin_tiny", 32, {"depths": (1, 1), "num_heads": (3, 6)}, (8, 8)),
        ("swin_tiny", 192, {"window_size": 5}, (5, 5)),
    )
    def test_windows_fit_every_map(self, name, image_size, options, want):
        options = {"embed_dim": 24, "depths": (1, 1, 1, 1), **options}
        options.setdefault("num_heads", (1, 2, 3, 4))
        swin = presets.create(name, image_size, **options)
        self.assertEqual(swin.window_size, want)
        if "window_size" not in options:
            for blocks in swin.stages:
                sides = np.array(blocks[0].grid_size)
                self.assertAllEqual(sides % blocks[0].window, [0, 0])

    def test_every_swin_has_a_second_version(self):
        swin = presets.create("swin_v2_tiny", 64)
        self.assertEqual(swin.version, 2)
        self.assertEqual(swin.depths, (2, 2, 6, 2))
        names = [n for n in presets.PRESETS if n.startswith("swin_v2")]
        self.assertEqual(
            names, [f"swin_v2_{s}" for s in ("tiny", "small", "base", "large")]
        )

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
        (30, {}, "nearest sizes that work are 32x32"),
        (64, {"patch_size": 0}, "`patch_size` and `channels` must be at least"),
        (64, {"depths": (2, 2)}, "`depths` and `num_heads` must have one"),
    )
    def test_impossible_options_of_a_swin_are_refused(
        self, image_size, options, message
    ):
        with self.assertRaisesRegex(ValueError, message):
            presets.create("swin_tiny", image_size, **options)

    @parameterized.parameters(
        ("vit_bse", "Did you mean 'vit_base'"),
        ("zzz", r"one of \['convnext_base', .*'vit_tiny'\]\. Received: 'zzz'"),
    )
    def test_unknown_name_is_refused_with_the_known_ones(self, name, message):
        with self.assertRaisesRegex(ValueError, message):
            presets.create(name, 224)


if __name__ == "__main__":
    tf.test.main()
