"""Tests for tf_simmim.data.finetuning_augmentation and random_erasing."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import data
from tf_simmim import randomness
from tf_simmim.data import augmentation

NORMALIZATION = data.Normalization()


def _image(height, width, channels):
    rng = np.random.RandomState(0)
    return rng.randint(0, 256, (height, width, channels)).astype(np.uint8)


def _seed(number):
    return randomness.seed_for(7, randomness.AUGMENTATION, number)


class FinetuningAugmentationTest(tf.test.TestCase, parameterized.TestCase):
    def test_alone_the_crop_is_bicubic_in_whole_numbers(self):
        augment = data.FinetuningAugmentation(
            (12, 20),
            NORMALIZATION,
            horizontal_flip=False,
            num_operations=0,
            erasing_rate=0,
        )
        image = _image(31, 26, 3)
        for k in range(4):
            top, left, height, width = augmentation.random_crop_box(
                31,
                26,
                (0.08, 1),
                (3 / 4, 4 / 3),
                randomness.fold_in(_seed(k), 0),
            ).numpy()
            crop = image[top : top + height, left : left + width]
            want = tf.image.resize(crop, (12, 20), "bicubic", antialias=True)
            got = augment(image, _seed(k)).numpy()
            self.assertAllEqual(got, np.clip(np.round(want), 0, 255))

    @parameterized.parameters(3, 4)
    def test_eager_mode_and_tf_data_agree_exactly(self, channels):
        statistics = data.Normalization([0.4] * channels, [0.2] * channels)
        augment = data.FinetuningAugmentation((12, 20), statistics)
        image = _image(31, 26, channels)
        eager = [augment(image, _seed(k)) for k in range(12)]
        mapped = tf.data.Dataset.range(12).map(
            lambda k: augment(image, _seed(k)), num_parallel_calls=3
        )
        for k, from_data in enumerate(mapped):
            self.assertEqual(from_data.shape, [12, 20, channels])
            self.assertAllEqual(from_data, eager[k])
        # Not all of one kind: each seed has its own operations.
        self.assertGreater(len({e.numpy().tobytes() for e in eager}), 10)

    def test_nothing_depends_on_the_global_seed(self):
        augment = data.FinetuningAugmentation((12, 20), NORMALIZATION)
        image = _image(31, 26, 3)
        results = []
        for global_seed in (1, 2):
            tf.random.set_seed(global_seed)
            results.append([augment(image, _seed(k)) for k in range(8)])
        self.assertAllEqual(results[0], results[1])

    def test_the_result_has_a_static_shape_for_images_of_any_size(self):
        augment = data.FinetuningAugmentation((4, 6), NORMALIZATION)
        spec = tf.TensorSpec([None, None, 3], tf.uint8)
        graph = tf.function(augment).get_concrete_function(
            spec, tf.TensorSpec([2], tf.int64)
        )
        self.assertEqual(graph.output_shapes, [4, 6, 3])

    def test_a_stream_is_entered_anywhere(self):
        source = data.ArraySource(_image(7, 9 * 11 * 3, 1).reshape(7, 9, 11, 3))
        stream = data.ImageStream(
            source,
            data.FinetuningAugmentation((8, 12), NORMALIZATION),
            NORMALIZATION,
            seed=3,
        )
        later = next(iter(stream.batches(2, start_index=6)))
        for row, k in enumerate((6, 7)):
            element = stream.element(k)
            self.assertAllEqual(later["image"][row], element["image"])


class RandomErasingTest(tf.test.TestCase, parameterized.TestCase):
    def test_a_quarter_of_images_gets_a_box_of_normal_noise(self):
        statistics = data.Normalization([0.3, 0.6], [0.1, 0.2])
        erase = tf.function(data.RandomErasing(statistics))
        image = tf.fill([32, 48, 2], 1000.0)
        areas, values = [], []
        for k in range(400):
            erased = erase(image, _seed(k)).numpy()
            changed = (erased != 1000).any(axis=-1)
            if not changed.any():
                continue
            rows, columns = changed.any(axis=1), changed.any(axis=0)
            self.assertEqual(changed.sum(), rows.sum() * columns.sum())
            areas.append(changed.mean())
            values.append(statistics.normalize(erased[changed]))
        self.assertBetween(len(areas), 65, 135)  # 100, 4 deviations
        self.assertBetween(min(areas), 0.01, 0.06)
        self.assertBetween(max(areas), 0.28, 0.36)
        self.assertAllClose(np.mean(areas), 0.177, atol=0.035)
        values = np.concatenate(values)
        self.assertAllClose(values.mean(axis=0), [0, 0], atol=0.02)
        self.assertAllClose(values.std(axis=0), [1, 1], atol=0.02)

    @parameterized.parameters((0.0, 0), (1.0, 20))
    def test_the_rate_decides_who_is_erased(self, rate, want):
        erase = data.RandomErasing(NORMALIZATION, rate)
        image = tf.zeros([16, 24, 3])
        got = [np.any(erase(image, _seed(k)) != 0) for k in range(20)]
        self.assertEqual(sum(got), want)

    @parameterized.parameters(
        ({"rate": 1.5}, "`rate` must be"),
        ({"area": (0, 0.3)}, "`area` must be"),
        ({"area": (0.4, 0.3)}, "`area` must be"),
    )
    def test_impossible_arguments_are_refused(self, arguments, message):
        with self.assertRaisesRegex(ValueError, message):
            data.RandomErasing(NORMALIZATION, **arguments)


if __name__ == "__main__":
    tf.test.main()
