"""Tests for tf_simmim.visualization.attention_maps."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import backbones
from tf_simmim import visualization

B, K, P = 2, 3, 4


def randomized(backbone, stddev=0.3):
    """Weights large enough that attention is far from even."""
    rng = np.random.default_rng(0)
    backbone.set_weights(
        [rng.normal(size=w.shape) * stddev for w in backbone.weights]
    )
    return backbone


def vit(grid=(2, 5), **kwargs):
    size = tuple(P * side for side in grid)
    return randomized(
        backbones.ViT(size, P, embed_dim=12, depth=2, num_heads=K, **kwargs)
    )


def swin(grid, window_size, version=1):
    size = tuple(P * side for side in grid)
    return randomized(
        backbones.Swin(
            size,
            P,
            embed_dim=6,
            depths=(2, 1),
            num_heads=(K, 2),
            window_size=window_size,
            version=version,
        )
    )


def images_for(backbone):
    rng = np.random.default_rng(1)
    shape = [B, *backbone.image_size, backbone.channels]
    return rng.normal(size=shape).astype(np.float32)


class AttentionMapsTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(True, False)
    def test_of_a_vit_equal_numpy_in_the_first_block(self, class_token):
        backbone = vit(class_token=class_token)
        images = images_for(backbone)
        tokens = backbone.patch_embedding(images)
        if class_token:
            tokens = backbone.class_token_layer(tokens)
        bias = backbone.relative_position_biases[0](tokens).numpy()
        block = backbone.blocks[0]
        tokens = block.attention_norm(tokens).numpy()
        w_q, w_k, _ = np.split(block.attention.qkv_kernel.numpy(), 3, axis=1)
        q = tokens @ w_q + block.attention.biases["query"].numpy()
        q, k = (
            np.moveaxis(x.reshape(B, -1, K, 4), 2, 1) for x in (q, tokens @ w_k)
        )
        logits = q @ np.swapaxes(k, 2, 3) / 2 + bias
        weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)

        first = int(class_token)
        wanted = {
            "mean": weights[:, :, first:].mean(axis=2),
            (1, 3): weights[:, :, first + 8],
        }
        if class_token:
            wanted["class"] = weights[:, :, 0]
        for query, want in wanted.items():
            got = visualization.attention_maps(backbone, images, 0, query)
            self.assertEqual(got.dtype, np.float32)
            want = want[..., first:].reshape(B, K, 2, 5)
            self.assertAllClose(got, want, 1e-4, 1e-5)

    @parameterized.parameters(((4, 6), 3, 1), ((6, 10), 4, 1), ((6, 4), 4, 2))
    def test_of_a_swin_sum_to_1_over_cells(self, grid, window, version):
        backbone = swin(grid, window, version)
        images = images_for(backbone)
        for block in range(2):  # the second is shifted
            for query in ("mean", (0, 0), (grid[0] - 1, grid[1] - 1)):
                maps = visualization.attention_maps(
                    backbone, images, block, query
                )
                self.assertEqual(maps.shape, (B, K, *grid))
                self.assertAllClose(
                    maps.sum(axis=(2, 3)), np.ones([B, K]), 1e-4
                )

    @parameterized.parameters(1, 2)
    def test_in_a_window_over_the_whole_map_a_swin_sees_all_of_it(
        self, version
    ):
        backbone = swin((4, 6), (4, 6), version)
        maps = visualization.attention_maps(
            backbone, images_for(backbone), 0, (1, 2)
        )
        self.assertAllGreater(maps, 0.0)

    def test_a_swin_attends_to_the_window_of_the_cell_alone(self):
        backbone = swin((4, 6), 2)
        images = images_for(backbone)
        maps = visualization.attention_maps(backbone, images, 0, (2, 3))
        inside = np.zeros([4, 6], bool)
        inside[2:4, 2:4] = True
        self.assertAllGreater(maps[:, :, inside], 0.0)
        self.assertAllEqual(maps[:, :, ~inside], np.zeros([B, K, 20]))
        # Half a window further, which the cell lies at the top left of.
        maps = visualization.attention_maps(backbone, images, 1, (3, 3))
        self.assertAllGreater(maps[:, :, 3, 3:5], 0.0)
        self.assertAllClose(maps[:, :, 3, 3:5].sum(-1), np.ones([B, K]))

    def test_the_mean_is_that_of_the_maps_of_all_cells(self):
        for backbone in (vit(), swin((4, 6), 4)):
            images, grid = images_for(backbone), backbone.grid_size
            each = [
                visualization.attention_maps(backbone, images, 1, (row, column))
                for row in range(grid[0])
                for column in range(grid[1])
            ]
            mean = visualization.attention_maps(backbone, images, 1)
            self.assertAllClose(mean, np.mean(each, axis=0), 1e-4, 1e-6)

    def test_what_is_seen_moves_with_the_cell_that_is_looked_at(self):
        backbone = vit(relative_position="none")
        images = images_for(backbone)
        # The same patch everywhere but in one place: no position, no order.
        images[:] = images[:, :P, :P].repeat(1, 0)[:, :1, :1]
        images[:, P:, 3 * P : 4 * P] = 5.0
        maps = visualization.attention_maps(backbone, images, 0, (0, 0))
        others = np.delete(maps.reshape(B, K, 10), 8, axis=-1)
        self.assertAllClose(others, np.tile(others[..., :1], 9), 1e-4)
        self.assertNotAllClose(maps[..., 1, 3], others[..., 0], 1e-2)

    def test_registers_are_left_out_and_merged_tokens_refused(self):
        options = dict(relative_position="none", register_tokens=2)
        backbone = vit(reduce_tokens=1, **options)
        images = images_for(backbone)
        place = "block_0/attention"
        weights = backbone.taps(images, place)[place].numpy()
        got = visualization.attention_maps(backbone, images, 0, "class")
        self.assertAllEqual(got, weights[:, :, 0, 3:].reshape(B, K, 2, 5))
        got = visualization.attention_maps(backbone, images, 0)
        want = weights[:, :, 3:, 3:].mean(axis=2).reshape(B, K, 2, 5)
        self.assertAllClose(got, want)
        with self.assertRaisesRegex(ValueError, "before any that merges"):
            visualization.attention_maps(backbone, images, 1)

    def test_mixed_precision_is_within_its_rounding(self):
        wanted, got = (
            visualization.attention_maps(backbone, images_for(backbone), 1)
            for backbone in (vit(), vit(dtype="mixed_bfloat16"))
        )
        self.assertEqual(got.dtype, np.float32)
        self.assertAllClose(wanted, got, atol=0.05, rtol=0.1)

    def test_the_backbone_is_left_as_it_was(self):
        backbone = vit()
        images = images_for(backbone)
        wanted = backbone(images)
        visualization.attention_maps(backbone, images, 1)
        self.assertAllEqual(backbone(images), wanted)

    @parameterized.parameters(
        ({}, 2, "mean", r"\[0, 2\).*2"),
        ({}, 0, "median", "'median'"),
        ({}, 0, (2, 0), r"2 x 5, counted from 0.*\(2, 0\)"),
        ({}, 0, (0, -1), r"\(0, -1\)"),
        ({}, 0, (1,), r"\(1,\)"),
        ({"class_token": False}, 0, "class", "no class token"),
    )
    def test_what_is_not_there_is_refused(self, options, block, query, message):
        backbone = vit(**options)
        with self.assertRaisesRegex(ValueError, message):
            visualization.attention_maps(
                backbone, images_for(backbone), block, query
            )

    def test_a_swin_has_no_class_token(self):
        backbone = swin((4, 6), 3)
        with self.assertRaisesRegex(ValueError, "no class token"):
            visualization.attention_maps(
                backbone, images_for(backbone), 0, "class"
            )

    def test_a_convolutional_network_does_not_attend(self):
        with self.assertRaisesRegex(ValueError, "which attend.*Sequential"):
            visualization.attention_maps(tf.keras.Sequential(), None, 0)


if __name__ == "__main__":
    tf.test.main()
