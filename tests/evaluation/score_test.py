"""Tests for tf_simmim.evaluation.score."""

import json

import hypothesis
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

from tf_simmim import evaluation


class ScoreTest(tf.test.TestCase):
    def test_wilson_interval_by_hand(self):
        # 9 of 10, z = 1.959964: centre (0.9 + z^2 / 20) / (1 + z^2 / 10)
        # = 0.788987, half width z sqrt(0.009 + z^2 / 400) / (1 + z^2 / 10)
        # = 0.193137.
        labels = np.arange(10)
        predictions = np.where(labels == 4, 0, labels)
        score = evaluation.Score.from_predictions(predictions, labels)
        self.assertEqual(score.accuracy, 0.9)
        self.assertAllClose(
            [score.low, score.high], [0.59585, 0.982124], atol=1e-6
        )
        self.assertEqual(score.details, {"num_correct": 9, "num_images": 10})

    def test_interval_of_draws_by_hand(self):
        # Mean 0.6, deviation 0.1, t(0.975, 2) = 4.302653:
        # half width 4.302653 * 0.1 / sqrt(3) = 0.248414.
        score = evaluation.Score.from_draws([0.5, 0.6, 0.7])
        self.assertAllClose(score.accuracy, 0.6)
        self.assertAllClose(
            [score.low, score.high], [0.351586, 0.848414], atol=1e-6
        )
        self.assertEqual(score.details["num_draws"], 3)
        self.assertAllClose(score.details["deviation"], 0.1)

    def test_interval_of_draws_ends_at_0_and_1(self):
        score = evaluation.Score.from_draws([0.1, 0.9])
        self.assertEqual((score.low, score.high), (0.0, 1.0))

    def test_one_draw_says_nothing_of_others(self):
        score = evaluation.Score.from_draws([0.5])
        self.assertEqual((score.low, score.high), (0.0, 1.0))

    def test_json_has_the_counts_beside_the_interval(self):
        score = evaluation.Score.from_predictions([1, 2], [1, 0], strength=0.1)
        copy = json.loads(json.dumps(score.to_json()))
        self.assertEqual(
            list(copy),
            [
                *("accuracy", "low", "high"),
                *("num_correct", "num_images", "strength"),
            ],
        )
        self.assertEqual((copy["accuracy"], copy["strength"]), (0.5, 0.1))

    def test_counts_that_cannot_be_are_refused(self):
        for right, total in ((5, 4), (-1, 4), (0, 0)):
            with self.assertRaisesRegex(ValueError, f"{right} of {total}"):
                evaluation.Score.from_counts(right, total)

    def test_predictions_that_do_not_fit_are_refused(self):
        for predictions, labels in (([1], [1, 2]), ([], [])):
            with self.assertRaisesRegex(ValueError, "one class for each"):
                evaluation.Score.from_predictions(predictions, labels)
        with self.assertRaisesRegex(ValueError, "at least one draw"):
            evaluation.Score.from_draws([])


@hypothesis.given(st.integers(0, 50), st.integers(1, 50))
def test_the_interval_holds_the_accuracy_and_shrinks_with_more_images(
    right, wrong
):
    labels = np.repeat([1, 0], [right, wrong])
    few = evaluation.Score.from_predictions(np.ones_like(labels), labels)
    many = evaluation.Score.from_predictions(
        np.ones(4 * len(labels)), np.repeat(labels, 4)
    )
    assert 0 <= few.low <= few.accuracy + 1e-12 <= few.high + 2e-12 <= 1 + 3e-12
    assert many.accuracy == few.accuracy
    assert many.high - many.low < few.high - few.low


if __name__ == "__main__":
    tf.test.main()
