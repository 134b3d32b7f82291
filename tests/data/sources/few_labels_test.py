"""Tests for tf_simmim.data.sources.few_labels."""

import collections
import pathlib
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import data

NAMES = ("ant", "bee", "cat")
# 5 ants, 9 bees, 6 cats, in no order.
LABELS = np.array([1, 0, 2, 1, 1, 0, 2, 2, 1, 1, 0, 0, 1, 2, 2, 1, 0, 1, 2, 1])


def _images():
    images = np.zeros([len(LABELS), 4, 6, 1], np.uint8)
    return images + np.arange(len(LABELS), dtype=np.uint8)[:, None, None, None]


def _source(kind="arrays"):
    if kind == "arrays":
        return data.ArraySource(_images(), LABELS, NAMES, [0.3], [0.2])
    dataset = tf.data.Dataset.from_tensor_slices((_images(), LABELS))
    return data.DatasetSource(dataset, class_names=NAMES)


class FewLabelsTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(kind=["arrays", "dataset"], num_labels=[3, 12])
    def test_every_class_has_the_same_number_of_its_own_images(
        self, kind, num_labels
    ):
        few = data.FewLabels(_source(kind), num_labels, seed=1)
        elements = list(few.epoch(shuffle=False))
        self.assertLen(few, num_labels)
        self.assertAllEqual([e["index"] for e in elements], range(num_labels))
        counts = collections.Counter(int(e["label"]) for e in elements)
        self.assertEqual(counts, dict.fromkeys(range(3), num_labels // 3))
        places = [int(e["image"][0, 0, 0]) for e in elements]
        self.assertLen(set(places), num_labels)
        self.assertAllEqual(places, few.indices)
        self.assertAllEqual([e["label"] for e in elements], LABELS[places])
        self.assertAllEqual(few.labels(), LABELS[places])

    def test_the_seed_decides_and_fewer_are_among_more(self):
        chosen = {
            (seed, num): set(data.FewLabels(_source(), num, seed).indices)
            for seed in (0, 1)
            for num in (6, 12)
        }
        self.assertEqual(
            chosen[0, 6], set(data.FewLabels(_source(), 6, 0).indices)
        )
        self.assertNotEqual(chosen[0, 6], chosen[1, 6])
        for seed in (0, 1):
            self.assertLess(chosen[seed, 6], chosen[seed, 12])

    def test_streamed_and_random_access_choose_the_same(self):
        few = [data.FewLabels(_source(k), 6, 3) for k in ("arrays", "dataset")]
        self.assertAllEqual(few[0].indices, few[1].indices)
        shuffled = list(few[1].epoch(seed=4))
        self.assertCountEqual([int(e["index"]) for e in shuffled], range(6))
        for element in shuffled:
            image = few[0].read(element["index"])["image"]
            self.assertAllEqual(element["image"], image)

    def test_what_is_said_of_the_whole_is_said_of_the_part(self):
        few = data.FewLabels(_source(), 6)
        self.assertEqual(few.class_names, NAMES)
        self.assertEqual((few.mean, few.std), ((0.3,), (0.2,)))
        self.assertEqual(few.describe(2), f"image {few.indices[2]} of arrays")
        self.assertNotEqual(
            few.digest(), data.FewLabels(_source(), 6, 1).digest()
        )

    @pytest.mark.slow
    def test_a_bad_file_among_the_chosen_is_named_and_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("ant", "bee"):
                (pathlib.Path(folder) / name).mkdir()
                for k in range(4):
                    png = tf.io.encode_png(np.full([5, 7, 3], k, np.uint8))
                    path = pathlib.Path(folder) / name / f"{k}.png"
                    path.write_bytes(png.numpy())
            whole = data.FolderSource(folder, "all")
            few = data.FewLabels(whole, 6)
            bad = pathlib.Path(few.describe(1))
            bad.write_text("no image")
            stream = data.ImageStream(
                few, data.ResizeAndCentreCrop((4, 6)), data.Normalization()
            )
            (batch,) = stream.batches(6, stop_index=6)
            self.assertNotIn(1, batch["index"].numpy())
            self.assertIn(str(bad), " ".join(stream.bad_images.reasons))

    @parameterized.parameters(
        (0, "nearest that works is 3. Received: 0"),
        (7, "nearest that works is 6 or 9. Received: 7"),
        (18, "6 images of every class. Received: arrays with 5 of 'ant'"),
    )
    def test_an_impossible_number_is_refused(self, num_labels, message):
        with self.assertRaisesRegex(ValueError, message):
            data.FewLabels(_source(), num_labels)

    def test_images_without_labels_are_refused(self):
        with self.assertRaisesRegex(ValueError, "must have labels with class"):
            data.FewLabels(data.ArraySource(_images()), 3)
        with self.assertRaisesRegex(ValueError, "must have labels. Received"):
            data.ArraySource(_images()).labels()


if __name__ == "__main__":
    tf.test.main()
