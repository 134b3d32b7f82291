"""Tests for tf_simmim.losses.classification."""

import hypothesis
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import strategies as st

from tf_simmim import losses

B, L = 3, 4
LOGITS = np.float32([[2, 1, 0, -1], [0, 3, 1, 2], [1, 1.5, -2, 0.5]])


class ClassTargetsTest(tf.test.TestCase, parameterized.TestCase):
    def test_integers_are_smoothed(self):
        targets = losses.class_targets(np.int64([2, 0, 3]), L, 0.2)
        want = np.full([B, L], 0.05)
        want[[0, 1, 2], [2, 0, 3]] = 0.85
        self.assertAllClose(targets, want)
        self.assertEqual(targets.dtype, tf.float32)

    @hypothesis.given(st.floats(0.0, 0.99), st.integers(2, 30))
    @hypothesis.settings(max_examples=20, deadline=None)
    def test_they_stay_distributions_whose_mode_is_the_label(self, s, num):
        labels = np.arange(num)
        targets = losses.class_targets(labels, num, s).numpy()
        self.assertAllClose(targets.sum(axis=-1), np.ones(num), rtol=1e-5)
        self.assertAllEqual(targets.argmax(axis=-1), labels)

    def test_floats_are_used_as_they_are(self):
        mixed = np.float64([[0.1, 0.9, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 1]])
        targets = losses.class_targets(mixed, L, label_smoothing=0.3)
        self.assertAllEqual(targets, mixed.astype(np.float32))

    @parameterized.parameters(-1, 4, 2**40)
    def test_what_is_no_class_has_no_loss(self, label):
        targets = losses.class_targets(np.int64([1, label, 3]), L, 0.1)
        self.assertAllEqual(
            np.isnan(targets), [[False] * L, [True] * L, [False] * L]
        )

    @parameterized.parameters(
        ([0, 0, 0, 0],),
        ([-0.5, 0.5, 0.5, 0.5],),
        ([1, 0, 1, 0],),
        ([0.2, 0.2, 0.2, 0.2],),
        ([0.5, float("nan"), 0.5, 0],),
        ([float("inf"), 0, 0, 0],),
    )
    def test_floats_that_are_no_distribution_have_no_loss(self, row):
        labels = [[0.25] * 4, row, [0, 1, 0, 0]]
        for dtype in (tf.float64, tf.float32, tf.float16, tf.bfloat16):
            targets = losses.class_targets(tf.constant(labels, dtype), L)
            self.assertAllEqual(
                np.isnan(targets), [[False] * L, [True] * L, [False] * L]
            )

    def test_distributions_may_be_rounded(self):
        smooth = np.full([2, 1000], 0.1 / 1000)
        smooth[:, 7] += 0.9
        for dtype in (tf.float32, tf.float16, tf.bfloat16):
            labels = tf.cast(smooth, dtype)
            targets = losses.class_targets(labels, 1000)
            self.assertAllEqual(targets, tf.cast(labels, tf.float32))

    @parameterized.parameters(
        ([B, L + 1], np.float32, r"Float `label` must be \[batch, 4\]"),
        ([B], np.float32, r"Float `label` must be \[batch, 4\]"),
        ([B, 1], np.int32, r"Integer `label` must be \[batch\]"),
    )
    def test_other_shapes_are_refused(self, shape, dtype, message):
        with self.assertRaisesRegex(ValueError, message):
            losses.class_targets(np.zeros(shape, dtype), L)


class CrossEntropyTest(tf.test.TestCase):
    def test_is_the_mean_over_images_in_nats(self):
        targets = np.float32([[0.7, 0.1, 0.1, 0.1], [0, 1, 0, 0], [1, 0, 0, 0]])
        log_softmax = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
        want = -(targets * log_softmax).sum(-1).mean()
        self.assertAllClose(losses.cross_entropy(LOGITS, targets), want)
        # In float32, whatever the logits are.
        half = losses.cross_entropy(tf.cast(LOGITS, tf.float16), targets)
        self.assertEqual(half.dtype, tf.float32)
        self.assertAllClose(half, want)


class TopKAccuracyTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((1, 1 / 3), (2, 2 / 3), (3, 2 / 3), (4, 1.0))
    def test_counts_labels_among_the_best(self, k, want):
        # Places of the labels: first, second, last.
        targets = losses.class_targets(np.int32([0, 3, 2]), L, 0.1)
        for jit_compile in (False, True):
            measure = tf.function(
                losses.top_k_accuracy, jit_compile=jit_compile
            )
            self.assertAllClose(measure(LOGITS, targets, k), want)

    def test_equal_logits_are_no_answer(self):
        targets = losses.class_targets(np.int32([0, 1, 2, 3]), L)
        accuracy = losses.top_k_accuracy(tf.zeros([4, L]), targets, 1)
        self.assertAllClose(accuracy, 0.25)

    def test_of_a_mixed_label_the_larger_part_counts(self):
        targets = np.float32([[0.6, 0, 0, 0.4], [0, 0.3, 0.7, 0]])
        accuracy = losses.top_k_accuracy(LOGITS[:2], targets, 1)
        self.assertAllClose(accuracy, 0.5)


if __name__ == "__main__":
    tf.test.main()
