"""Tests for tf_simmim.evaluation.logistic."""

import numpy as np
import scipy
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import evaluation

N, M, D, L = 43, 29, 5, 3


def clusters(num_images, seed, noise=1.0):
    """Returns features of `L` overlapping classes and their labels."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=[L, D])
    labels = np.arange(num_images) % L
    return centres[labels] + noise * rng.normal(size=[num_images, D]), labels


class LogisticProbeTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(strength=[1e-4, 0.03, 0.6], num_classes=[2, L])
    def test_it_is_the_least_of_its_formula(self, strength, num_classes):
        """Minimised here by another method, without its gradient's code."""
        x, labels = clusters(N, 0, noise=2.0)
        test, _ = clusters(900, 1, noise=2.0)
        labels = labels % num_classes
        mean, scale = x.mean(axis=0), np.sqrt(x.var(axis=0).mean())

        def objective(parameters):
            weights, bias = np.split(parameters.reshape([D + 1, -1]), [D])
            logits = (x - mean) / scale @ weights + bias
            likelihood = scipy.special.log_softmax(logits, axis=1)
            picked = likelihood[np.arange(N), labels]
            return -picked.mean() + strength / 2 * np.square(weights).sum()

        least = scipy.optimize.minimize(
            objective, np.zeros((D + 1) * num_classes), method="BFGS", tol=1e-8
        )
        weights, bias = np.split(least.x.reshape([D + 1, -1]), [D])
        logits = (test - mean) / scale @ weights + bias
        probe = evaluation.LogisticProbe(x, labels, num_classes)
        same = probe.predict(test, strength) == logits.argmax(axis=1)
        self.assertGreater(same.mean(), 0.995)  # both stop near the least
        self.assertLen(set(logits.argmax(1)), num_classes)

    def test_units_offset_and_rotation_of_the_features_play_no_part(self):
        x, labels = clusters(N, 0, noise=2.0)
        test, _ = clusters(M, 1, noise=2.0)
        rotation = np.linalg.qr(np.random.default_rng(2).normal(size=[D, D]))[0]
        want = evaluation.LogisticProbe(x, labels, L).predict(test, 0.1)
        got = evaluation.LogisticProbe(
            1e3 * x @ rotation + 50, labels, L
        ).predict(1e3 * test @ rotation + 50, 0.1)
        self.assertAllEqual(got, want)

    def test_the_strength_is_that_of_the_best_held_out_accuracy(self):
        x, labels = clusters(200, 0, noise=3.0)
        probe = evaluation.LogisticProbe(x, labels, L)
        best = probe.best_strength(seed=4)
        self.assertEqual(best, probe.best_strength(seed=4))
        # Nothing learned from W alone at 1e9: one class for all images.
        self.assertLess(best, 1e9)
        self.assertEqual(probe.best_strength([best, 1e9], seed=4), best)
        self.assertEqual(probe.best_strength([1e8, 1e9]), 1e9)  # equal

    def test_a_fifth_of_each_class_and_never_its_only_image_is_held_out(self):
        x, _ = clusters(17, 0)
        labels = np.array([0] * 11 + [1] * 5 + [2])
        probe = evaluation.LogisticProbe(x, labels, L)
        counts = [np.sum(labels[probe._held_out(s)] == 2) for s in range(5)]
        self.assertEqual(counts, [0] * 5)
        for seed in range(5):
            held_out = labels[probe._held_out(seed)]
            self.assertAllEqual(np.bincount(held_out, minlength=L), [2, 1, 0])
        different = {tuple(probe._held_out(seed)) for seed in range(5)}
        self.assertGreater(len(different), 1)

    def test_one_image_of_each_class_is_enough(self):
        probe = evaluation.LogisticProbe(np.eye(L, D), np.arange(L), L)
        self.assertEqual(probe.best_strength(), 10.0)
        self.assertAllEqual(probe.predict(np.eye(L, D), 1e-3), np.arange(L))

    def test_features_without_variance_give_the_commonest_class(self):
        labels = np.array([0, 1, 1, 1, 2, 2])
        probe = evaluation.LogisticProbe(np.ones([6, D]), labels, L)
        self.assertAllEqual(probe.predict(np.ones([2, D]), 0.1), [1, 1])

    def test_impossible_arguments_are_refused(self):
        x, labels = clusters(N, 0)
        with self.assertRaisesRegex(ValueError, r"\(43, 5\) and 42 labels"):
            evaluation.LogisticProbe(x, labels[1:], L)
        with self.assertRaisesRegex(ValueError, "0 of class 3"):
            evaluation.LogisticProbe(x, labels, L + 1)
        with self.assertRaisesRegex(ValueError, "`num_classes`.*Received: 1"):
            evaluation.LogisticProbe(x, np.zeros(N, int), 1)
        probe = evaluation.LogisticProbe(x, labels, L)
        for strength in (0.0, -1.0, float("nan")):
            with self.assertRaisesRegex(ValueError, "`strength`"):
                probe.predict(x, strength)


if __name__ == "__main__":
    tf.test.main()
