"""Tests for tf_simmim.evaluation.ridge."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import strategies as st

from tf_simmim import evaluation

M, L = 31, 3
# More images than features, and fewer: the two decompositions.
SHAPES = ((23, 5), (11, 17))


def clusters(num_images, width, seed=0, noise=1.0):
    """Returns features of `L` overlapping classes and their labels."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=[L, width])
    labels = np.arange(num_images) % L
    return centres[labels] + noise * rng.normal(
        size=[num_images, width]
    ), labels


class RidgeProbeTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(shape=SHAPES, strength=[1e-3, 1.0, 50.0])
    def test_it_is_the_formula_of_the_description(self, shape, strength):
        x, labels = clusters(*shape)
        test, _ = clusters(M, shape[1], seed=1)
        mean, y = x.mean(axis=0), np.eye(L)[labels]
        centred = x - mean
        ridge = strength * len(x) * centred.var(axis=0).mean()
        gram = centred.T @ centred + ridge * np.eye(shape[1])
        weights = np.linalg.solve(gram, centred.T @ (y - y.mean(axis=0)))
        want = ((test - mean) @ weights + y.mean(axis=0)).argmax(axis=1)
        probe = evaluation.RidgeProbe(x, labels, L)
        self.assertAllEqual(probe.predict(test, strength), want)

    @parameterized.product(shape=SHAPES, strength=[1e-3, 1.0, 50.0])
    def test_it_is_scikit_learns_ridge_with_an_intercept(self, shape, strength):
        x, labels = clusters(*shape, noise=2.0)
        test, _ = clusters(M, shape[1], seed=1, noise=2.0)
        alpha = strength * len(x) * x.var(axis=0).mean()
        from sklearn import linear_model

        other = linear_model.Ridge(alpha).fit(x, np.eye(L)[labels])
        probe = evaluation.RidgeProbe(x, labels, L)
        self.assertAllEqual(
            probe.predict(test, strength), other.predict(test).argmax(axis=1)
        )

    @parameterized.product(shape=SHAPES, strength=[1e-6, 0.1, 3.0])
    def test_leaving_one_out_equals_fitting_without_it(self, shape, strength):
        x, labels = clusters(*shape, noise=2.0)
        alpha = strength * len(x) * x.var(axis=0).mean()
        right = 0
        for i, label in enumerate(labels):
            others = np.arange(len(x)) != i
            # The strength in X's own units stays; so does the intercept's
            # freedom.
            from sklearn import linear_model

            fit = linear_model.Ridge(alpha, solver="svd").fit(
                x[others], np.eye(L)[labels[others]]
            )
            right += fit.predict(x[i : i + 1]).argmax() == label
        probe = evaluation.RidgeProbe(x, labels, L)
        self.assertEqual(probe.leave_one_out_accuracy(strength), right / len(x))

    def test_the_best_strength_is_that_of_the_best_held_out_accuracy(self):
        # Few images and many noisy features: it takes a strong one.
        x, labels = clusters(30, 200, noise=4.0)
        probe = evaluation.RidgeProbe(x, labels, L)
        strengths = (1e-6, 1e-2, 1.0, 1e4)
        accuracies = [probe.leave_one_out_accuracy(s) for s in strengths]
        best = probe.best_strength(strengths)
        self.assertEqual(
            accuracies[strengths.index(best)], max(accuracies), accuracies
        )
        self.assertEqual(
            best,
            max(
                s
                for s, a in zip(strengths, accuracies, strict=True)
                if a == max(accuracies)
            ),
        )

    def test_classes_of_unequal_size_keep_their_intercept(self):
        # Features that say nothing: the larger class wins.
        x = np.random.default_rng(0).normal(size=[12, 4]) * 1e-9
        labels = np.array([0] * 3 + [1] * 9)
        probe = evaluation.RidgeProbe(x, labels, 2)
        self.assertAllEqual(probe.predict(np.zeros([5, 4]), 1.0), [1] * 5)

    def test_features_without_variance_are_no_error(self):
        probe = evaluation.RidgeProbe(np.ones([6, 2]), [0, 1, 1] * 2, 2)
        self.assertAllEqual(probe.predict(np.ones([3, 2]), 1.0), [1] * 3)

    def test_impossible_arguments_are_refused(self):
        x = np.zeros([4, 2])
        for labels, message in (
            ([0, 1, 1, 0], "1 or more images of every.*0 of class 2"),
            ([0, 1, 2, 3], r"in \[0, 3\).*from 0 to 3"),
            ([], "must not be empty"),
            ([0, 1, 2], r"\[N, D\].*\(4, 2\) and 3 labels"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                evaluation.RidgeProbe(x, labels, 3)
        probe = evaluation.RidgeProbe(x, [0, 1, 1, 0], 2)
        for strength in (0, -1, np.nan):
            with self.assertRaisesRegex(ValueError, "`strength` must be pos"):
                probe.predict(x, strength)


@pytest.mark.parametrize("shape", SHAPES)
@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(
    seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), data=st.data()
)
def test_turning_scaling_and_reordering_change_nothing(
    shape, seed, scale, data
):
    x, labels = clusters(*shape, seed=seed)
    test, _ = clusters(M, shape[1], seed=seed + 1)
    from scipy import stats

    turn = stats.ortho_group.rvs(shape[1], random_state=seed)
    order = np.random.default_rng(seed).permutation(len(x))
    strength = data.draw(st.sampled_from([1e-3, 1.0, 30.0]))
    one = evaluation.RidgeProbe(x, labels, L)
    other = evaluation.RidgeProbe((scale * x @ turn)[order], labels[order], L)
    np.testing.assert_array_equal(
        one.predict(test, strength),
        other.predict(scale * test @ turn, strength),
    )
    assert one.leave_one_out_accuracy(strength) == (
        other.leave_one_out_accuracy(strength)
    )


if __name__ == "__main__":
    tf.test.main()
