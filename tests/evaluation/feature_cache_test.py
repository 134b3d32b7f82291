"""Tests for tf_simmim.evaluation.feature_cache."""

import errno
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import atomic_file
from tf_simmim import backbones
from tf_simmim import evaluation

KEY = {"network": "a", "images": {"size": [16, 24]}}
LABELS = np.array([3, 1, 2])


def array(name):
    """Features that tell by their values which they are."""
    return len(name) + np.arange(12, dtype=np.float32).reshape(3, 4)


def bit_flipped(path):
    content = bytearray(path.read_bytes())
    content[content.index(array("one").tobytes()) + 5] ^= 1
    path.write_bytes(content)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path):
    path.write_bytes(b"")


def foreign(path):
    path.write_bytes(b"no archive at all " * 40)


def of_another_key(path):
    np.savez(path, key=np.array("{}"), labels=LABELS, one=array("one"))


def spoilt(path, **arrays):
    with np.load(path) as file:
        good = dict(file)
    np.savez(path, **{**good, **arrays})


def of_objects(path):
    spoilt(path, one=np.array([[{}] * 4] * 3, object))


def not_finite(path):
    spoilt(path, one=np.full([3, 4], np.nan, np.float32))


def too_short(path):
    spoilt(path, one=array("one")[:2])


def without_labels(path):
    np.savez(path, key=np.load(path)["key"], one=array("one"))


def compressed(path):
    with np.load(path) as file:
        np.savez_compressed(path, **dict(file))


class FeatureCacheTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.get_temp_dir()) / "features"
        self.asked = []

    def get(self, *names, key=KEY, folder=None):
        def compute(missing):
            self.asked.append(missing)
            return {name: array(name) for name in missing}, LABELS

        cache = evaluation.FeatureCache(folder or self.folder)
        features, labels = cache.get(key, names, compute)
        self.assertEqual(list(features), list(names))
        for name in names:
            self.assertAllEqual(features[name], array(name))
        self.assertAllEqual(labels, LABELS)
        return cache

    def the_file(self):
        (path,) = self.folder.iterdir()
        return path

    def test_what_was_computed_once_is_not_computed_again(self):
        self.get("one", "three")
        self.get("three")
        self.get("one", "three")
        self.assertEqual(self.asked, [["one", "three"]])

    def test_only_what_is_missing_is_computed_and_all_is_kept(self):
        self.get("one")
        self.get("three", "one")
        self.get("one", "three")
        self.assertEqual(self.asked, [["one"], ["three"]])
        self.the_file()  # of both

    def test_another_key_has_features_of_its_own(self):
        self.get("one")
        self.get("one", key={**KEY, "network": "b"})
        self.assertLen(self.asked, 2)

    @parameterized.parameters(
        bit_flipped,
        cut_short,
        emptied,
        foreign,
        of_another_key,
        of_objects,
        not_finite,
        too_short,
        without_labels,
        compressed,
    )
    def test_a_damaged_file_is_one_line_and_is_written_anew(self, spoil):
        self.get("one")
        spoil(self.the_file())
        with self.assertLogs("absl", "WARNING") as logs:
            self.get("one")
        self.assertLen(logs.output, 1)
        self.assertIn("is damaged", logs.output[0])
        self.assertIn(self.the_file().name, logs.output[0])
        self.get("one")
        self.assertLen(self.asked, 2)

    def test_an_object_in_the_file_is_never_unpickled(self):
        self.get("one")
        of_objects(self.the_file())
        with mock.patch("pickle.load") as load:
            with self.assertLogs("absl", "WARNING"):
                self.get("one")
        load.assert_not_called()

    def test_a_full_disk_costs_the_file_alone(self):
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(atomic_file, "sync", side_effect=full):
            with self.assertLogs("absl", "ERROR") as logs:
                self.get("one")
        self.assertIn("No space left", logs.output[0])
        self.assertEmpty(list(self.folder.iterdir()))

    def test_without_a_folder_everything_is_computed(self):
        cache = evaluation.FeatureCache(None)
        for _ in range(2):
            features, _ = cache.get(
                KEY, ["one"], lambda names: ({"one": array("one")}, LABELS)
            )
            self.assertAllEqual(features["one"], array("one"))
        cache.remove_old()

    def test_a_folder_that_is_a_link_is_left_alone(self):
        precious = self.folder.with_name("precious")
        precious.mkdir()
        (precious / f"{'0' * 32}.npz").write_text("precious")
        self.folder.symlink_to(precious)
        self.addCleanup(self.folder.unlink)
        self.get("one").remove_old()
        self.assertLen(list(precious.iterdir()), 1)

    def test_removal_leaves_what_is_in_use_and_what_is_not_ours(self):
        self.get("one", key={**KEY, "network": "old"})
        (self.folder / "notes.npz").write_text("mine")
        self.get("one").remove_old()
        self.assertLen(list(self.folder.iterdir()), 2)
        self.get("one")
        self.assertLen(self.asked, 2)

    def test_digest_changes_with_weights_and_configuration(self):
        def create(**options):
            tf.keras.utils.set_random_seed(1)
            return backbones.ViT((8, 12), 4, 6, 1, 3, **options)

        model = create()
        first = evaluation.weights_digest(model)
        self.assertEqual(first, evaluation.weights_digest(create()))
        self.assertNotEqual(
            first, evaluation.weights_digest(create(epsilon=1e-3))
        )
        weight = model.weights[-1]
        weight.assign(weight + 1e-3)
        self.assertNotEqual(first, evaluation.weights_digest(model))


if __name__ == "__main__":
    tf.test.main()
