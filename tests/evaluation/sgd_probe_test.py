"""Tests for tf_simmim.evaluation.sgd_probe."""

import numpy as np
import tensorflow as tf

from tf_simmim import evaluation
from tf_simmim import optimization

N, M, D, L = 48, 37, 5, 3


def clusters(num_images, seed, noise=1.0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=[L, D])
    labels = np.arange(num_images) % L
    return centres[labels] + noise * rng.normal(size=[num_images, D]), labels


class SgdProbeTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.train, self.labels = clusters(N, 0)
        self.test, self.test_labels = clusters(M, 1)

    def predict(self, **options):
        return evaluation.sgd_predictions(
            self.train, self.labels, self.test, L, **options
        )

    def test_steps_are_those_of_momentum_on_softmax_cross_entropy(self):
        """In NumPy; a batch of all images makes their order irrelevant."""
        epochs, warmup = 6, 2
        got = self.predict(
            epochs=epochs, warmup_epochs=warmup, base_learning_rate=9.0, seed=3
        )
        mean, std = self.train.mean(0), np.sqrt(self.train.var(0) + 1e-6)
        x, y = (self.train - mean) / std, np.eye(L)[self.labels]
        weights = tf.random.stateless_truncated_normal(
            [D, L], [3, 0], stddev=0.01, alg="philox"
        ).numpy()
        bias, velocity, bias_velocity = np.zeros(L), 0.0, 0.0
        schedule = optimization.WarmupCosine(
            9.0 * N / 256, epochs, warmup, cosine_origin="warmup_end"
        )
        for step in range(epochs):
            scores = np.exp(x @ weights + bias)
            error = scores / scores.sum(1, keepdims=True) - y
            velocity = 0.9 * velocity + x.T @ error / N
            bias_velocity = 0.9 * bias_velocity + error.mean(0)
            weights = weights - float(schedule(step)) * velocity
            bias = bias - float(schedule(step)) * bias_velocity
        want = ((self.test - mean) / std @ weights + bias).argmax(1)
        self.assertAllEqual(got, want)
        self.assertGreater(len(set(got)), 1)

    def test_it_learns_what_can_be_learned(self):
        self.train, self.labels = clusters(600, 0, noise=0.3)
        self.test, self.test_labels = clusters(M, 1, noise=0.3)
        self.assertAllEqual(self.predict(batch_size=64), self.test_labels)

    def test_units_and_offset_of_each_feature_play_no_part(self):
        want = self.predict(epochs=20)
        scale, offset = np.array([1e-2, 1.0, 7.0, 30.0, 1e3]), 50.0
        self.train = self.train * scale + offset
        self.test = self.test * scale + offset
        self.assertAllEqual(self.predict(epochs=20), want)

    def test_a_seed_gives_one_result_whatever_tensorflows_own(self):
        results = []
        for global_seed in (1, 2):
            tf.random.set_seed(global_seed)
            results.append(
                self.predict(epochs=3, warmup_epochs=0, batch_size=10)
            )
        self.assertAllEqual(*results)

    def test_impossible_arguments_are_refused(self):
        with self.assertRaisesRegex(ValueError, r"`warmup_epochs` must.*10"):
            self.predict(epochs=10)
        self.labels[self.labels == 2] = 0
        with self.assertRaisesRegex(ValueError, "0 of class 2"):
            self.predict()


if __name__ == "__main__":
    tf.test.main()
