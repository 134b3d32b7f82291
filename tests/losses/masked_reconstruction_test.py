"""Tests for tf_simmim.losses.masked_reconstruction."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim.losses import masked_reconstruction

B, H, W, C, P = 2, 8, 16, 3, 4  # 2x4 model patches
ERRORS = {
    "l1": np.abs,
    "l2": np.square,
    "smooth_l1": lambda d: np.where(np.abs(d) < 1, d**2 / 2, np.abs(d) - 0.5),
}


def cells(image, stride):
    """[B, H, W, C] to [B, h, w, F] in (row, column, channel) order."""
    b, height, width, c = image.shape
    h, w = height // stride, width // stride
    x = image.reshape(b, h, stride, w, stride, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h, w, -1)


def loss_on_pixels(target, prediction, patch_mask, kind):
    """The reference's formula, at full resolution."""
    m = np.repeat(np.repeat(patch_mask, P, axis=1), P, axis=2)[..., None]
    error = ERRORS[kind](target - prediction)
    return np.sum(m * error) / (np.sum(m) + 1e-5) / target.shape[-1]


class ElementwiseErrorTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        ("l1", [3.0, 1.0, 0.5, 0.0, 0.25, 2.0]),
        ("l2", [9.0, 1.0, 0.25, 0.0, 0.0625, 4.0]),
        ("smooth_l1", [2.5, 0.5, 0.125, 0.0, 0.03125, 1.5]),
    )
    def test_each_kind_is_its_formula(self, kind, want):
        difference = tf.constant([-3.0, -1.0, -0.5, 0.0, 0.25, 2.0])
        got = masked_reconstruction.elementwise_error(difference, kind)
        self.assertAllEqual(got, want)

    def test_smooth_l1_has_the_slope_of_l1_from_one_on(self):
        x = tf.constant([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = masked_reconstruction.elementwise_error(x, "smooth_l1")
        self.assertAllEqual(tape.gradient(y, x), [-1, -1, -0.5, 0.5, 1, 1])

    def test_unknown_kind_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`kind` must be one of .*l1"):
            masked_reconstruction.elementwise_error(tf.zeros([2]), "L1")


class MaskedReconstructionLossTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.default_rng(0)
        shape = [B, H, W, C]
        self.target = self.rng.normal(size=shape).astype(np.float32)
        self.prediction = self.rng.normal(size=shape).astype(np.float32)
        # Another number of hidden patches in each image, and cells of 8 px
        # with hidden and visible patches in them.
        self.mask = np.array(
            [[[1, 0, 0, 0], [0, 1, 1, 1]], [[0, 0, 1, 1], [0, 0, 1, 0]]]
        )

    def _loss(self, target, prediction, stride=P, kind="l1", mask=None):
        return masked_reconstruction.masked_reconstruction_loss(
            tf.constant(cells(target, stride)),
            tf.constant(cells(prediction, stride)),
            self.mask if mask is None else mask,
            P,
            stride,
            kind,
        )

    def test_equals_a_value_worked_by_hand(self):
        # Two cells of 1 px and two channels; the second is hidden.
        target = tf.constant([[[[1.0, 2.0], [5.0, -1.0]]]])
        prediction = tf.constant([[[[9.0, 9.0], [2.0, 0.0]]]])
        loss = masked_reconstruction.masked_reconstruction_loss(
            target, prediction, tf.constant([[[0, 1]]]), 1, 1
        )
        self.assertAllClose(loss, (3 + 1) / (1 + 1e-5) / 2, rtol=1e-7)

    @parameterized.product(stride=(4, 8), kind=tuple(ERRORS))
    def test_equals_the_formula_on_pixels(self, stride, kind):
        got = self._loss(self.target, self.prediction, stride, kind)
        want = loss_on_pixels(self.target, self.prediction, self.mask, kind)
        self.assertAllClose(got, want, rtol=1e-6)
        self.assertEqual(got.dtype, tf.float32)
        self.assertEqual(got.shape, [])

    @parameterized.parameters(4, 8)
    def test_visible_pixels_and_predictions_at_them_do_not_matter(self, stride):
        want = self._loss(self.target, self.prediction, stride)
        hidden = np.repeat(np.repeat(self.mask, P, 1), P, 2)[..., None] == 1
        noise = 100 * self.rng.normal(size=self.target.shape)
        noise = np.where(hidden, 0, noise).astype(np.float32)
        self.assertAllEqual(
            self._loss(self.target + noise, self.prediction, stride), want
        )
        self.assertAllEqual(
            self._loss(self.target, self.prediction + noise, stride), want
        )

    @parameterized.parameters(4, 8)
    def test_gradient_is_zero_at_visible_and_a_sign_at_hidden_pixels(
        self, stride
    ):
        prediction = tf.constant(cells(self.prediction, stride))
        target = cells(self.target, stride)
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            loss = masked_reconstruction.masked_reconstruction_loss(
                target, prediction, self.mask, P, stride
            )
        grad = tape.gradient(loss, prediction)

        pixel_mask = np.repeat(np.repeat(self.mask, P, 1), P, 2)[..., None]
        weight = cells(np.repeat(pixel_mask, C, axis=-1), stride)
        scale = 1 / (pixel_mask.sum() + 1e-5) / C
        want = weight * np.sign(prediction - target) * scale
        self.assertAllClose(grad, want, rtol=1e-5, atol=0)

    def test_normaliser_counts_hidden_pixels_of_the_whole_batch(self):
        # A constant error of 2 has a mean of 2, however many are hidden.
        for mask in (self.mask, 1 - self.mask, np.ones_like(self.mask)):
            loss = self._loss(self.target, self.target + 2, mask=mask)
            self.assertAllClose(loss, 2.0, rtol=1e-5)

    def test_nothing_hidden_gives_zero_and_not_nan(self):
        nothing = np.zeros_like(self.mask)
        loss = self._loss(self.target, self.prediction, mask=nothing)
        self.assertEqual(loss, 0)

    def test_mask_may_be_boolean(self):
        self.assertAllEqual(
            self._loss(self.target, self.prediction, mask=self.mask == 1),
            self._loss(self.target, self.prediction),
        )

    def test_a_list_of_cells_with_every_hidden_one_is_enough(self):
        cells_of = np.array([[0, 5, 6, 7, 1], [2, 3, 6, 0, 4]])  # 4 and 3
        is_hidden = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
        target, prediction = (
            cells(x, P).reshape(B, 8, -1)[np.arange(B)[:, None], cells_of]
            for x in (self.target, self.prediction)
        )
        got = masked_reconstruction.masked_reconstruction_loss(
            tf.constant(target), tf.constant(prediction), is_hidden, P, P
        )
        want = self._loss(self.target, self.prediction)
        self.assertAllClose(got, want, rtol=1e-6)

    def test_unknown_kind_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`kind`"):
            self._loss(self.target, self.prediction, kind="mse")

    def test_shares_make_the_whole_loss_of_losses_of_parts(self):
        # One part hides five patches, one none, one a single patch.
        masks = np.zeros([3, 2, 2, 4], np.int32)
        masks[0, 0, :, :2] = masks[0, 1, 0, 3] = masks[2, 1, 1, 2] = 1
        shape = [6, H, W, C]
        target, prediction = (
            self.rng.normal(size=shape).astype(np.float32) for _ in range(2)
        )
        whole = self._loss(target, prediction, mask=masks.reshape(6, 2, 4))
        parts = [
            self._loss(
                *[x[2 * k : 2 * k + 2] for x in (target, prediction)], mask=m
            )
            for k, m in enumerate(masks)
        ]
        shares = masked_reconstruction.shares_of_loss(masks, P)
        self.assertAllClose(shares, [5 / 6, 0, 1 / 6], rtol=0, atol=1e-6)
        self.assertAllClose(tf.tensordot(shares, parts, 1), whole, rtol=1e-6)

    def test_one_part_is_the_whole_exactly(self):
        shares = masked_reconstruction.shares_of_loss(self.mask[None] == 1, P)
        self.assertAllEqual(shares, [1.0])


if __name__ == "__main__":
    tf.test.main()
