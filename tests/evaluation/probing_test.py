"""Tests for tf_simmim.evaluation.probing and probe_data."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tf_simmim import backbones
from tf_simmim import evaluation
from tf_simmim.evaluation import features

N, M, H, W, C, L = 24, 10, 16, 24, 2, 3


def data_set(num_images, seed):
    """Images whose class shifts their brightness, in batches of 7."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num_images) % L
    images = (
        rng.normal(size=[num_images, H, W, C]) + labels[:, None, None, None]
    )
    element = {"image": images.astype(np.float32), "label": labels}
    return tf.data.Dataset.from_tensor_slices(element).batch(7)


def create_backbone(seed=1):
    tf.keras.utils.set_random_seed(seed)
    return backbones.ViT((H, W), 8, 6, depth=3, num_heads=3, channels=C)


class ProbingTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.train, self.test = data_set(N, 0), data_set(M, 1)
        self.folder = Path(self.get_temp_dir()) / "features"

    def probe_data(self, train=None, **key):
        return evaluation.ProbeData(
            train or self.train,
            self.test,
            {"split": "train", **key},
            {"split": "test", **key},
            evaluation.FeatureCache(self.folder),
        )

    def settings(self, **options):
        return evaluation.ProbeSettings(
            **{
                "num_classes": L,
                "protocols": evaluation.PROTOCOLS,
                "knn_k": 3,
                "few_shot_labels": (1, 4),
                "num_draws": 5,
                **options,
            }
        )

    @pytest.mark.slow
    def test_all_protocols_are_measured_as_their_functions_do(self):
        settings = self.settings()
        split = self.probe_data().block_features(create_backbone(), [1])[1]
        train, train_labels, test, test_labels = split
        scores = evaluation.probe_features(*split, settings)
        self.assertEqual(list(scores), list(settings.describe()))
        self.assertEqual(
            list(scores),
            [
                *("knn", "linear", "linear_lbfgs", "linear_sgd"),
                *("few_shot_1", "few_shot_4"),
            ],
        )
        want = evaluation.knn_accuracy(*split, L, k=3)
        self.assertEqual(scores["knn"].accuracy, want)
        probe = evaluation.RidgeProbe(train, train_labels, L)
        strength = probe.best_strength()
        self.assertEqual(scores["linear"].details["strength"], strength)
        right = probe.predict(test, strength) == test_labels
        self.assertEqual(scores["linear"].details["num_correct"], right.sum())
        logistic = evaluation.LogisticProbe(train, train_labels, L)
        strength = logistic.best_strength()
        self.assertEqual(scores["linear_lbfgs"].details["strength"], strength)
        right = logistic.predict(test, strength) == test_labels
        self.assertEqual(scores["linear_lbfgs"].accuracy, np.mean(right))
        sgd = evaluation.sgd_predictions(train, train_labels, test, L)
        self.assertEqual(
            scores["linear_sgd"].accuracy, np.mean(sgd == test_labels)
        )
        few = evaluation.few_shot_accuracies(*split, L, 4, num_draws=5)
        self.assertEqual(scores["few_shot_4"].accuracy, np.mean(few))
        self.assertEqual(scores["few_shot_4"].details["num_draws"], 5)

    def test_unknown_or_no_protocols_are_refused(self):
        for protocols in (("knn", "sgd"), ()):
            with self.assertRaisesRegex(ValueError, "must be some of.*'knn'"):
                self.settings(protocols=protocols)

    def test_features_are_computed_once_for_each_network_and_set(self):
        backbone, other = create_backbone(), create_backbone(2)
        with mock.patch.object(
            features, "extract_features", wraps=features.extract_features
        ) as extract:
            first = self.probe_data().block_features(backbone, [2, 0])
            again = self.probe_data().block_features(backbone, [0, 2])
            self.assertEqual(extract.call_count, 2)  # train and test
            # Other weights, other images, another block: computed.
            extract.side_effect = lambda _, dataset, blocks: (
                {block: np.ones([3, 2], np.float32) for block in blocks},
                np.arange(3),
            )
            self.probe_data().block_features(other, [0])
            self.probe_data(seed=1).block_features(backbone, [0])
            self.assertEqual(extract.call_count, 6)
            self.probe_data().block_features(backbone, [0, 1])
            self.assertEqual(extract.call_count, 8)
            self.assertEqual(extract.call_args.args[2], [1])
        self.assertEqual((list(first), list(again)), ([2, 0], [0, 2]))
        for block in (0, 2):
            for one, two in zip(first[block], again[block], strict=True):
                self.assertAllEqual(one, two)

    def test_pixels_are_a_baseline_of_the_same_form(self):
        for _ in range(2):  # computed, and from the cache
            train, train_labels, test, test_labels = (
                self.probe_data().raw_pixels()
            )
            self.assertEqual((train.shape, test.shape), ((N, 768), (M, 768)))
            self.assertAllEqual(train_labels, np.arange(N) % L)
            self.assertAllEqual(test_labels, np.arange(M) % L)

    def test_every_block_is_probed(self):
        settings = self.settings(protocols=("knn", "few_shot"))
        splits = self.probe_data().block_features(create_backbone(), [0, 2])
        scores = evaluation.probe_blocks(splits, settings)
        self.assertEqual(list(scores), [0, 2])
        for block, split in splits.items():
            self.assertEqual(
                scores[block], evaluation.probe_features(*split, settings)
            )

    def test_blocks_that_there_are_not_are_refused(self):
        backbone = create_backbone()
        for blocks in ([0, 3], [-1], [1, 1], []):
            with self.assertRaisesRegex(
                ValueError, r"different numbers in \[0, 3\)"
            ):
                self.probe_data().block_features(backbone, blocks)

    def test_forgetting_others_keeps_the_files_of_this_evaluation(self):
        self.probe_data(seed=1).raw_pixels()
        data = self.probe_data()
        data.raw_pixels()
        self.assertLen(list(self.folder.iterdir()), 4)
        data.forget_others()
        self.assertLen(list(self.folder.iterdir()), 2)


if __name__ == "__main__":
    tf.test.main()
