"""Tests for tf_simmim.convert.weight_map."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import heads
from tf_simmim.convert import weight_map

B = 2


def pixel_shuffle(x, stride):
    """PyTorch's pixel shuffle: [B, C*S*S, h, w] to [B, C, h*S, w*S]."""
    b, f, h, w = x.shape
    out = np.zeros([b, f // stride**2, h * stride, w * stride], x.dtype)
    for c, i, j in np.ndindex(f // stride**2, stride, stride):
        out[:, c, i::stride, j::stride] = x[:, c * stride**2 + i * stride + j]
    return out


class WeightMapTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)

    def _assert_inverse(self, mapping):
        ours = self.rng.normal(size=mapping.variable.shape)
        reference = mapping.to_reference(ours)
        self.assertEqual(reference.shape, mapping.reference_shape)
        self.assertAllEqual(mapping.to_ours(reference), ours)

    def test_weights_of_the_same_layout_pass_unchanged(self):
        mapping = weight_map.WeightMap("a", tf.Variable(tf.zeros([2, 3, 4])))
        self.assertEqual(mapping.reference_shape, (2, 3, 4))
        self._assert_inverse(mapping)
        x = self.rng.normal(size=[2, 3, 4])
        self.assertAllEqual(mapping.to_ours(x), x)

    def test_linear_kernel_computes_what_pytorch_computes(self):
        mapping = weight_map.linear("a", tf.Variable(tf.zeros([3, 5])))
        self.assertEqual(mapping.reference_shape, (5, 3))
        self._assert_inverse(mapping)
        x, weight = self.rng.normal(size=[B, 3]), self.rng.normal(size=[5, 3])
        self.assertAllClose(x @ mapping.to_ours(weight), x @ weight.T)

    def test_convolution_kernel_computes_what_pytorch_computes(self):
        mapping = weight_map.convolution(
            "a", tf.Variable(tf.zeros([4, 6, 3, 5]))
        )
        self.assertEqual(mapping.reference_shape, (5, 3, 4, 6))
        self._assert_inverse(mapping)

        # One patch of 4x6 pixels; PyTorch has channels first.
        image = self.rng.normal(size=[B, 4, 6, 3])
        weight = self.rng.normal(size=[5, 3, 4, 6])
        got = tf.nn.conv2d(image, mapping.to_ours(weight), 1, "VALID")
        want = [
            [np.sum(x.transpose(2, 0, 1) * kernel) for kernel in weight]
            for x in image
        ]
        self.assertAllClose(got[:, 0, 0], want)

    @parameterized.parameters((4, 3), (2, 5), (3, 1))
    def test_head_reproduces_convolution_and_pixel_shuffle(
        self, stride, channels
    ):
        h, w, d = 2, 3, 7
        features = self.rng.normal(size=[B, h, w, d]).astype(np.float32)
        head = heads.PredictionHead(stride, channels)
        head(features)
        maps = weight_map.pixel_shuffle_head("dec", head, channels, stride)
        self.assertEqual([m.name for m in maps], ["dec.weight", "dec.bias"])
        outputs = stride**2 * channels
        self.assertEqual(maps[0].reference_shape, (outputs, d, 1, 1))
        self.assertEqual(maps[1].reference_shape, (outputs,))

        weight = self.rng.normal(size=[outputs, d, 1, 1]).astype(np.float32)
        bias = self.rng.normal(size=[outputs]).astype(np.float32)
        for m, value in zip(maps, (weight, bias), strict=True):
            m.variable.assign(m.to_ours(value))
            self._assert_inverse(m)
        got = tf.nn.depth_to_space(head(features), stride)

        convolved = features @ weight[:, :, 0, 0].T + bias  # [B, h, w, F]
        shuffled = pixel_shuffle(convolved.transpose(0, 3, 1, 2), stride)
        self.assertAllClose(got, shuffled.transpose(0, 2, 3, 1), atol=1e-5)


if __name__ == "__main__":
    tf.test.main()
