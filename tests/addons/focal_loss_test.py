"""Tests for tf_simmim.addons.focal_loss."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import addons
from tf_simmim.addons import focal_loss

B, A, L = 2, 3, 5


def numbers(from_logits=True, dtype="float32"):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, [B, A, L]).astype(np.float32)
    # Some so sure that they leave float32.
    logits = rng.normal(size=[B, A, L], scale=3.0)
    logits[0, 0, :2] = -200.0, 200.0
    given = logits if from_logits else 1 / (1 + np.exp(-np.clip(logits, -9, 9)))
    return tf.constant(truth), tf.constant(given, dtype)


def value_and_gradient(function, truth, given, **options):
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = function(truth, given, **options)
    return loss.numpy(), tape.gradient(loss, given).numpy()


class FocalLossTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(True, False)
    def test_loss_is_that_of_the_formula(self, from_logits):
        truth, given = (each.numpy()[:, 1:] for each in numbers(from_logits))
        p = 1 / (1 + np.exp(-given)) if from_logits else given
        p_of_truth = np.where(truth == 1, p, 1 - p)
        alpha = np.where(truth == 1, 0.3, 0.7)
        want = -alpha * (1 - p_of_truth) ** 1.5 * np.log(p_of_truth)
        got = focal_loss.sigmoid_focal_crossentropy(
            truth, given, alpha=0.3, gamma=1.5, from_logits=from_logits
        )
        self.assertEqual(got.shape, [B, A - 1])
        self.assertAllClose(got, want.sum(axis=-1), rtol=1e-4)

    def test_a_sure_answer_has_a_finite_loss_and_gradient(self):
        found = value_and_gradient(
            focal_loss.sigmoid_focal_crossentropy, *numbers(), from_logits=True
        )
        for each in found:
            self.assertAllEqual(np.isfinite(each), np.ones_like(each, bool))

    @parameterized.product(
        from_logits=(True, False),
        dtype=("float32", "float16"),
        options=({}, dict(alpha=0.3, gamma=1.5)),
    )
    def test_values_and_gradients_are_those_of_the_original_bit_for_bit(
        self, from_logits, dtype, options
    ):
        if not addons.HAS_ORIGINALS:
            self.skipTest("tensorflow-addons exists up to Python 3.11.")
        ours, theirs = (
            value_and_gradient(
                function,
                *numbers(from_logits, dtype),
                from_logits=from_logits,
                **options,
            )
            for function in (
                focal_loss.sigmoid_focal_crossentropy,
                addons.sigmoid_focal_crossentropy,
            )
        )
        for a, b in zip(ours, theirs, strict=True):
            self.assertEqual(a.dtype.name, dtype)
            self.assertEqual(a.tobytes(), b.tobytes())


if __name__ == "__main__":
    tf.test.main()
