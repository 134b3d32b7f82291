"""Tests for tf_simmim.evaluation.nearest_neighbours."""

import numpy as np
import tensorflow as tf

from tf_simmim import evaluation


def at_degrees(*angles):
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], -1).astype(np.float32)


class KnnAccuracyTest(tf.test.TestCase):
    def accuracy(self, angles, labels, test_angles, test_labels, **options):
        return evaluation.knn_accuracy(
            at_degrees(*angles),
            labels,
            at_degrees(*test_angles),
            test_labels,
            num_classes=3,
            **options,
        )

    def test_one_close_neighbour_outweighs_two_far_ones(self):
        # Similarities 1, 0.5, 0.5. With T = 0.07: e^(0 / T) = 1 against
        # 2 e^(-0.5 / T) = 0.0016. With T = 10: 1 against 2 * 0.951.
        def predicts_class_1(temperature):
            return self.accuracy(
                [0, 60, -60], [1, 2, 2], [0], [1], k=3, temperature=temperature
            )

        self.assertEqual(predicts_class_1(0.07), 1.0)
        self.assertEqual(predicts_class_1(10.0), 0.0)

    def test_weights_change_sides_at_the_temperature_worked_out_by_hand(self):
        # 1 against 2 exp(-0.5 / T): equal at T = 0.5 / ln 2 = 0.7213.
        for temperature, want in ((0.71, 1.0), (0.73, 0.0)):
            got = self.accuracy(
                [0, 60, -60], [1, 2, 2], [0], [1], k=3, temperature=temperature
            )
            self.assertEqual(got, want)

    def test_only_the_k_nearest_vote(self):
        angles, labels = [5, 20, -20, 21, -21], [1, 0, 0, 0, 0]
        for k, want in ((1, 1.0), (2, 1.0), (5, 0.0)):
            got = self.accuracy(angles, labels, [0], [1], k=k, temperature=1.0)
            self.assertEqual(got, want)

    def test_a_temperature_next_to_0_leaves_the_vote_to_the_nearest(self):
        # exp(-0.2 / 2e-4) is 0 in float64, and so would be all weights.
        nearest = np.rad2deg(np.arccos(0.8))
        for label in (1, 2):
            got = self.accuracy(
                [nearest, 60, -60],
                [label, 0, 0],
                [0],
                [label],
                k=3,
                temperature=2e-4,
            )
            self.assertEqual(got, 1.0)

    def test_length_of_a_feature_plays_no_part(self):
        features = at_degrees(0, 90) * [[100.0], [0.01]]
        accuracy = evaluation.knn_accuracy(
            features, [0, 1], at_degrees(10, 80) * 7, [0, 1], 2, k=1
        )
        self.assertEqual(accuracy, 1.0)

    def test_accuracy_is_the_fraction_that_is_right(self):
        got = self.accuracy(
            [0, 90, 180], [0, 1, 2], [1, 91, 179, 2], [0, 1, 2, 2], k=1
        )
        self.assertEqual(got, 0.75)

    def test_it_equals_the_published_formula_on_random_features(self):
        generator = np.random.default_rng(1)
        train, test = (
            generator.normal(size=[57, 5]),
            generator.normal(size=[31, 5]),
        )
        train_labels = generator.integers(0, 4, 57)
        test_labels = generator.integers(0, 4, 31)

        def unit(x):
            return x / np.linalg.norm(x, axis=1, keepdims=True)

        similarity = unit(test) @ unit(train).T
        right = 0
        for row, label in zip(similarity, test_labels, strict=True):
            nearest = np.argsort(-row)[:9]
            votes = np.bincount(
                train_labels[nearest], np.exp(row[nearest] / 0.07), 4
            )
            right += votes.argmax() == label
        got = evaluation.knn_accuracy(
            train, train_labels, test, test_labels, num_classes=4, k=9
        )
        self.assertAllClose(got, right / 31)

    def test_impossible_arguments_are_refused(self):
        for options in ({"k": 0}, {"k": 3}):
            with self.assertRaisesRegex(ValueError, "`k` must lie.*images, 2"):
                self.accuracy([0, 90], [0, 1], [0], [0], **options)
        with self.assertRaisesRegex(ValueError, "`temperature`.*: 0"):
            self.accuracy([0, 90], [0, 1], [0], [0], k=1, temperature=0)
        with self.assertRaisesRegex(ValueError, r"in \[0, 3\).*from 0 to 3"):
            self.accuracy([0, 90], [0, 3], [0], [0], k=1)


if __name__ == "__main__":
    tf.test.main()
