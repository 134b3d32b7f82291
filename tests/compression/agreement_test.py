"""Tests for tf_simmim.compression.agreement."""

import numpy as np
import tensorflow as tf

from tf_simmim.compression import agreement

N, D, E, L = 5, 4, 3, 6


def rng():
    return np.random.default_rng(0)


class AgreementTest(tf.test.TestCase):
    def test_kl_is_that_of_the_distributions_worked_by_hand(self):
        # p = (1/2, 1/2), q = (1/4, 3/4); and equal ones, shifted.
        logits = np.log([[1.0, 1.0], [1.0, 3.0]])
        others = np.log([[1.0, 3.0], [2.0, 6.0]])
        want = 0.5 * np.log(2.0) + 0.5 * np.log(2.0 / 3.0)
        got = agreement.kl_divergence(logits, others)
        self.assertAllClose(got, [want, 0.0], atol=1e-15)

    def test_kl_keeps_leading_axes_and_survives_large_logits(self):
        logits = 1e4 * rng().normal(size=[2, 3, L])
        got = agreement.kl_divergence(logits, logits)
        self.assertAllEqual(got, np.zeros([2, 3]))

    def test_kl_of_sigmoids_adds_up_the_classes(self):
        p, q = np.array([[0.2, 0.9]]), np.array([[0.4, 0.9]])
        logit = lambda x: np.log(x / (1 - x))  # noqa: E731
        want = 0.2 * np.log(0.5) + 0.8 * np.log(0.8 / 0.6)
        got = agreement.sigmoid_kl_divergence(logit(p), logit(q))
        self.assertAllClose(got, [want])

    def test_similarities_are_cosines_with_all_others_over_temperature(self):
        features = rng().normal(size=[N, D])
        got = agreement.similarity_logits(features, temperature=0.5)
        self.assertEqual(got.shape, (N, N - 1))
        for i in range(N):
            want = [
                features[i]
                @ features[j]
                / np.linalg.norm(features[i])
                / np.linalg.norm(features[j])
                / 0.5
                for j in range(N)
                if j != i
            ]
            self.assertAllClose(got[i], want)

    def test_cka_does_not_see_rotation_scale_and_shift(self):
        x = rng().normal(size=[N, D])
        rotation, _ = np.linalg.qr(rng().normal(size=[D, D]))
        self.assertAllClose(agreement.linear_cka(x, 3 * x @ rotation + 7), 1.0)

    def test_cka_of_features_of_other_widths_is_that_of_gram_matrices(self):
        x, y = rng().normal(size=[N, D]), rng().normal(size=[N, E])
        centre = np.eye(N) - 1 / N
        k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
        want = np.sum(k * m) / np.linalg.norm(k) / np.linalg.norm(m)
        self.assertAllClose(agreement.linear_cka(x, y), want)
        self.assertEqual(agreement.linear_cka(x, np.ones([N, E])), 0.0)


if __name__ == "__main__":
    tf.test.main()
