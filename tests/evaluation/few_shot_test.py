"""Tests for tf_simmim.evaluation.few_shot."""

import hypothesis
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

from tf_simmim import evaluation

L = 3


class FewShotTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.labels = np.arange(60) % L
        self.centres = rng.normal(size=[L, 7])
        self.features = self.centres[self.labels] + rng.normal(size=[60, 7])
        self.test_labels = np.arange(31) % L
        self.test_features = self.centres[self.test_labels] + rng.normal(
            size=[31, 7]
        )

    def accuracies(self, features=None, **options):
        return evaluation.few_shot_accuracies(
            self.features if features is None else features,
            self.labels,
            self.test_features,
            self.test_labels,
            L,
            **{"num_labels": 2, **options},
        )

    def test_each_draw_is_a_ridge_probe_on_its_images(self):
        got = self.accuracies(num_draws=3, seed=5, strength=0.3)
        for draw, accuracy in enumerate(got):
            rows = evaluation.draw_few(self.labels, 2, L, 5, draw)
            probe = evaluation.RidgeProbe(
                self.features[rows], self.labels[rows], L
            )
            predictions = probe.predict(self.test_features, 0.3)
            self.assertEqual(accuracy, np.mean(predictions == self.test_labels))
        self.assertLen(got, 3)

    def test_the_strength_is_chosen_on_the_labels_of_the_draw_alone(self):
        for k in (1, 4):
            rows = evaluation.draw_few(self.labels, k, L, 0, 0)
            probe = evaluation.RidgeProbe(
                self.features[rows], self.labels[rows], L
            )
            strength = probe.best_strength() if k > 1 else 0.01
            self.assertEqual(
                self.accuracies(num_labels=k, num_draws=1),
                self.accuracies(num_labels=k, num_draws=1, strength=strength),
            )

    def test_images_that_are_not_drawn_play_no_part(self):
        rows = evaluation.draw_few(self.labels, 2, L, 0, 0)
        spoilt = np.full_like(self.features, 1e6)
        spoilt[rows] = self.features[rows]
        self.assertEqual(
            self.accuracies(spoilt, num_draws=1), self.accuracies(num_draws=1)
        )

    def test_more_labels_help(self):
        few, many = (
            np.mean(self.accuracies(num_labels=k, num_draws=10))
            for k in (1, 10)
        )
        self.assertGreater(many, few + 0.02)
        self.assertGreater(many, 0.7)

    def test_draws_differ_and_a_seed_repeats_them(self):
        first = self.accuracies(num_labels=1, num_draws=8)
        self.assertEqual(first, self.accuracies(num_labels=1, num_draws=8))
        self.assertGreater(len(set(first)), 1)
        self.assertNotEqual(
            first, self.accuracies(num_labels=1, num_draws=8, seed=1)
        )

    def test_more_draws_begin_with_those_of_fewer(self):
        self.assertEqual(
            self.accuracies(num_draws=5)[:3], self.accuracies(num_draws=3)
        )

    def test_impossible_numbers_are_refused(self):
        with self.assertRaisesRegex(
            ValueError, "21 or more images of every class.*20 of class 0"
        ):
            self.accuracies(num_labels=21)
        with self.assertRaisesRegex(ValueError, "`num_labels` must.*: 0"):
            self.accuracies(num_labels=0)
        with self.assertRaisesRegex(ValueError, "`num_draws` must.*: 0"):
            self.accuracies(num_draws=0)
        with self.assertRaisesRegex(ValueError, "`strength` must.*: 0"):
            self.accuracies(strength=0)
        self.labels[self.labels == 1] = 0
        with self.assertRaisesRegex(ValueError, "0 of class 1"):
            self.accuracies()


@hypothesis.settings(deadline=None, max_examples=20)
@hypothesis.given(
    labels=st.lists(st.integers(0, L - 1), min_size=12, max_size=40),
    seed=st.integers(0, 99),
    draw=st.integers(0, 99),
)
def test_a_draw_has_k_of_each_class_and_grows_with_k(labels, seed, draw):
    labels = np.array([*range(L)] * 3 + labels)
    before = set()
    for k in (1, 2, 3):
        rows = evaluation.draw_few(labels, k, L, seed, draw)
        assert len(set(rows)) == len(rows) == k * L
        assert np.bincount(labels[rows]).tolist() == [k] * L
        assert before <= set(rows)
        before = set(rows)


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(seed=st.integers(0, 99))
def test_a_draw_does_not_depend_on_what_classes_are_called(seed):
    labels = np.random.default_rng(seed).permutation(np.arange(30) % L)
    names = np.random.default_rng(seed + 1).permutation(L)
    rows = evaluation.draw_few(labels, 4, L, seed, 0)
    renamed = evaluation.draw_few(names[labels], 4, L, seed, 0)
    assert set(rows) == set(renamed)


if __name__ == "__main__":
    tf.test.main()
