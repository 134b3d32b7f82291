"""Tests for tf_simmim.evaluation.nearest_images."""

import numpy as np
import tensorflow as tf

from tf_simmim import evaluation

Q, N, D = 3, 7, 5


class NearestImagesTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.features = rng.normal(size=[N, D]).astype(np.float32)

    def test_an_image_is_its_own_nearest_whatever_the_length(self):
        queries = self.features[[4, 0, 6]] * [[3.0], [0.1], [1.0]]
        indices, cosines = evaluation.nearest_images(queries, self.features, 2)
        self.assertAllEqual(indices[:, 0], [4, 0, 6])
        self.assertAllClose(cosines[:, 0], [1.0, 1.0, 1.0])

    def test_order_is_by_cosine(self):
        queries = np.random.default_rng(1).normal(size=[Q, D])
        indices, cosines = evaluation.nearest_images(queries, self.features, N)
        for q in range(Q):
            want = [
                queries[q] @ f / np.linalg.norm(queries[q]) / np.linalg.norm(f)
                for f in self.features
            ]
            self.assertAllEqual(indices[q], np.argsort(want)[::-1])
            self.assertAllClose(cosines[q], np.sort(want)[::-1])

    def test_of_copies_the_first_comes_first(self):
        features = np.stack([self.features[0]] * 3 + [self.features[1]])
        indices, _ = evaluation.nearest_images(features[:1], features, 3)
        self.assertAllEqual(indices, [[0, 1, 2]])

    def test_features_without_length_are_like_nothing(self):
        features = np.stack([np.zeros(D), np.ones(D)])
        _, cosines = evaluation.nearest_images(features[:1], features, 2)
        self.assertAllEqual(cosines, [[0.0, 0.0]])

    def test_impossible_numbers_are_refused(self):
        for k in (0, N + 1):
            with self.assertRaisesRegex(ValueError, rf"\[1, 7\].*{k}"):
                evaluation.nearest_images(self.features, self.features, k)
        with self.assertRaisesRegex(ValueError, r"one width.*\(7, 4\)"):
            evaluation.nearest_images(self.features[:, 1:], self.features, 1)


if __name__ == "__main__":
    tf.test.main()
