"""Tests for the pyramids: SimpleFeaturePyramid and FeaturePyramid.

Save/load, replicas and XLA are covered for every layer in tests/conformance.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import layers

B, D, F = 2, 6, 5


def _maps(*sizes):
    rng = np.random.default_rng(0)
    return [
        rng.normal(size=[B, *size, D + i]).astype(np.float32)
        for i, size in enumerate(sizes)
    ]


class SimpleFeaturePyramidTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        (16, (4, 8, 16, 32)),
        (8, (4, 8, 16)),
        (14, (7, 14, 28)),
        (4, (4, 8)),
        (2, (2, 4)),
    )
    def test_strides_reach_from_four_pixels_to_twice_the_own(
        self, stride, strides
    ):
        layer = layers.SimpleFeaturePyramid(stride, F)
        self.assertEqual(layer.strides, strides)
        maps = layer(_maps((4, 6))[0], training=True)
        sides = [(4 * stride // s, 6 * stride // s) for s in strides]
        self.assertEqual(
            [tuple(x.shape) for x in maps], [(B, *side, F) for side in sides]
        )

    def test_an_odd_map_is_halved_upwards(self):
        maps = layers.SimpleFeaturePyramid(4, F)(_maps((3, 5))[0])
        self.assertEqual(maps[-1].shape, [B, 2, 3, F])

    def test_each_cell_sees_its_own_place_alone_but_for_the_last_convolution(
        self,
    ):
        layer = layers.SimpleFeaturePyramid(8, F)
        (features,) = _maps((4, 6))
        before = layer(features)
        changed = features.copy()
        changed[:, 0, 0] += 1.0
        for stride, a, b in zip(
            layer.strides, before, layer(changed), strict=True
        ):
            moved = np.abs(a - b).max(axis=(0, 3)) > 1e-6
            reach = max(8 // stride, 1) + 1
            self.assertTrue(moved[0, 0])
            self.assertFalse(moved[reach:].any())
            self.assertFalse(moved[:, reach:].any())

    def test_gradient_reaches_every_weight_in_training(self):
        layer = layers.SimpleFeaturePyramid(16, F)
        with tf.GradientTape() as tape:
            maps = layer(_maps((4, 6))[0], training=True)
            loss = tf.add_n([tf.reduce_sum(x**2) for x in maps])
            loss += tf.add_n([tf.reduce_sum(x**3) for x in maps])
        for variable, gradient in zip(
            layer.trainable_variables,
            tape.gradient(loss, layer.trainable_variables),
            strict=True,
        ):
            self.assertGreater(np.abs(gradient).max(), 0, variable.name)


class FeaturePyramidTest(tf.test.TestCase, parameterized.TestCase):
    def test_fine_maps_hear_of_coarse_ones_and_not_the_other_way(self):
        maps = _maps((8, 12), (4, 6), (3, 3))
        layer = layers.FeaturePyramid(3, F)
        before = layer(maps, training=True)
        self.assertEqual(
            [x.shape for x in before],
            [[B, 8, 12, F], [B, 4, 6, F], [B, 3, 3, F]],
        )
        after = layer([maps[0], maps[1] + 1.0, maps[2]])
        self.assertAllEqual(after[2], before[2])
        self.assertGreater(np.abs(after[1] - before[1]).min(axis=-1).max(), 0)
        self.assertGreater(np.abs(after[0] - before[0]).min(axis=-1).max(), 0)

    def test_it_is_the_sum_of_laterals_and_what_is_carried_down(self):
        maps = _maps((2, 4), (1, 2))
        layer = layers.FeaturePyramid(2, 1)
        layer(maps)
        for variable in layer.weights:
            kernel = np.zeros(variable.shape)
            if "lateral" in variable.name and kernel.ndim == 4:
                kernel[0, 0, 1, 0] = 1.0  # takes feature 1
            elif kernel.ndim == 4:
                kernel[1, 1, 0, 0] = 1.0  # passes on
            variable.assign(kernel)
        fine, coarse = layer(maps)
        self.assertAllClose(coarse[..., 0], maps[1][..., 1])
        carried = tf.image.resize(maps[1][..., 1:2], (2, 4))
        self.assertAllClose(fine, maps[0][..., 1:2] + carried, atol=1e-6)

    def test_another_number_of_maps_is_refused(self):
        with self.assertRaisesRegex(ValueError, "must be 3, one a level"):
            layers.FeaturePyramid(3, F)(_maps((4, 6)))


if __name__ == "__main__":
    tf.test.main()
