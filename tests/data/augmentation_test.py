"""Tests for tf_simmim.data.augmentation."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized
from hypothesis import strategies
from PIL import Image

from tf_simmim import randomness
from tf_simmim.data import augmentation

_NO_CROP = {"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0)}


def _image(height, width, channels):
    rng = np.random.RandomState(0)
    return rng.randint(0, 256, (height, width, channels)).astype(np.uint8)


def _seed(number):
    return randomness.seed_for(7, randomness.AUGMENTATION, number)


class PretrainingAugmentationTest(tf.test.TestCase, parameterized.TestCase):
    def test_without_crop_and_flip_it_is_a_plain_resize(self):
        augment = augmentation.PretrainingAugmentation(
            (6, 10), horizontal_flip=False, **_NO_CROP
        )
        image = _image(16, 16, 2)
        want = tf.image.resize(image, (6, 10), antialias=True)
        self.assertAllEqual(augment(image, _seed(0)), want)

    def test_a_whole_square_image_of_the_same_size_is_left_alone(self):
        augment = augmentation.PretrainingAugmentation(
            12, crop_scale=(1, 1), horizontal_flip=False
        )
        image = _image(12, 12, 1)
        for number in range(5):
            self.assertAllClose(augment(image, _seed(number)), image, atol=1e-4)

    @pytest.mark.slow
    def test_a_flip_reverses_the_columns_of_half_the_images(self):
        kept = augmentation.PretrainingAugmentation(
            (5, 8), horizontal_flip=False
        )
        flipped = augmentation.PretrainingAugmentation((5, 8))
        image = _image(9, 7, 3)
        num_flips = 0
        for number in range(200):
            want, got = (
                kept(image, _seed(number)),
                flipped(image, _seed(number)),
            )
            if np.array_equal(got, want[:, ::-1]):
                num_flips += 1
            else:
                self.assertAllEqual(got, want)
        self.assertBetween(num_flips, 70, 130)  # 4 standard deviations

    def test_the_crop_is_pillows_bilinear_up_to_its_rounding(self):
        augment = augmentation.PretrainingAugmentation(
            (16, 24), horizontal_flip=False
        )
        image = _image(61, 83, 3)
        for number in range(5):
            seed = _seed(number)
            top, left, height, width = augmentation.random_crop_box(
                61, 83, (0.67, 1), (3 / 4, 4 / 3), randomness.fold_in(seed, 0)
            ).numpy()
            box = (left, top, left + width, top + height)
            want = (
                Image.fromarray(image)
                .crop(box)
                .resize((24, 16), Image.Resampling.BILINEAR)
            )
            # Pillow rounds to whole numbers after each of its two passes.
            self.assertAllClose(
                augment(image, seed), np.asarray(want, np.float32), atol=1.5
            )

    def test_eager_graph_and_tf_data_agree_exactly(self):
        augment = augmentation.PretrainingAugmentation((12, 20))
        image = _image(31, 26, 3)
        eager = [augment(image, _seed(k)) for k in range(6)]
        graph = tf.function(lambda k: augment(image, _seed(k)))
        mapped = tf.data.Dataset.range(6).map(
            lambda k: augment(image, _seed(k)), num_parallel_calls=3
        )
        for k, from_data in enumerate(mapped):
            self.assertAllEqual(graph(tf.constant(k, tf.int64)), eager[k])
            self.assertAllEqual(from_data, eager[k])

    def test_the_result_has_a_static_shape_for_images_of_any_size(self):
        augment = augmentation.PretrainingAugmentation((4, 6))
        spec = tf.TensorSpec([None, None, 2], tf.uint8)
        graph = tf.function(augment).get_concrete_function(
            spec, tf.TensorSpec([2], tf.int64)
        )
        self.assertEqual(graph.output_shapes, [4, 6, 2])

    @parameterized.parameters(
        ("crop_scale", (0.0, 1.0)),
        ("crop_scale", (0.5, 1.1)),
        ("crop_scale", (0.9, 0.5)),
        ("crop_scale", (0.5,)),
        ("crop_ratio", (-1.0, 1.0)),
        ("crop_ratio", (2.0, 1.0)),
    )
    def test_an_impossible_range_is_refused(self, name, pair):
        with self.assertRaisesRegex(ValueError, f"`{name}` must be a pair"):
            augmentation.PretrainingAugmentation(8, **{name: pair})


class RandomCropBoxTest(tf.test.TestCase, parameterized.TestCase):
    @hypothesis.settings(deadline=None, max_examples=150)
    @hypothesis.given(
        height=strategies.integers(1, 3000),
        width=strategies.integers(1, 3000),
        number=strategies.integers(0, 2**40),
        scale=strategies.tuples(
            strategies.floats(0.01, 1), strategies.floats(0.01, 1)
        ).map(sorted),
        ratio=strategies.tuples(
            strategies.floats(0.1, 10), strategies.floats(0.1, 10)
        ).map(sorted),
    )
    @pytest.mark.slow
    def test_the_box_is_inside_the_image_and_not_empty(
        self, height, width, number, scale, ratio
    ):
        top, left, box_height, box_width = augmentation.random_crop_box(
            height, width, scale, ratio, _seed(number)
        ).numpy()
        self.assertGreaterEqual(min(top, left), 0)
        self.assertGreaterEqual(min(box_height, box_width), 1)
        self.assertLessEqual(top + box_height, height)
        self.assertLessEqual(left + box_width, width)

    def test_area_ratio_and_place_are_distributed_as_they_should(self):
        @tf.function
        def boxes(numbers):
            return tf.map_fn(
                lambda k: augmentation.random_crop_box(
                    2000, 2000, (0.2, 0.4), (0.5, 2.0), _seed(k)
                ),
                numbers,
                fn_output_signature=tf.int32,
            )

        drawn = boxes(tf.range(2000, dtype=tf.int64)).numpy().astype(float)
        top, left, height, width = drawn.T
        area = height * width / 2000**2
        log_ratio = np.log2(width / height)
        self.assertBetween(area.min(), 0.199, 0.202)
        self.assertBetween(area.max(), 0.398, 0.401)
        self.assertAllClose(area.mean(), 0.3, atol=0.005)
        self.assertBetween(log_ratio.min(), -1.01, -0.98)
        self.assertBetween(log_ratio.max(), 0.98, 1.01)
        self.assertAllClose(log_ratio.mean(), 0, atol=0.05)
        self.assertAllClose(log_ratio.std(), 2 / np.sqrt(12), atol=0.03)
        for corner, side in ((top, height), (left, width)):
            place = corner / (2000 - side)
            self.assertAllClose(place.mean(), 0.5, atol=0.025)
            self.assertAllClose(place.std(), 1 / np.sqrt(12), atol=0.02)

    @parameterized.parameters(
        # height, width -> top, left, height, width
        (40, 400, (0, 173, 40, 53)),  # too wide: 40 * 4 / 3 = 53.3
        (400, 40, (173, 0, 53, 40)),  # too high: 40 / (3 / 4) = 53.3
    )
    def test_an_image_that_no_box_fits_is_cropped_centrally(
        self, height, width, want
    ):
        for number in range(3):
            box = augmentation.random_crop_box(
                height, width, (0.9, 1.0), (3 / 4, 4 / 3), _seed(number)
            )
            self.assertAllEqual(box, want)

    def test_an_image_of_an_allowed_shape_that_no_box_fits_is_kept_whole(self):
        box = augmentation.random_crop_box(
            30, 36, (1.0, 1.0), (1.0, 1.3), _seed(4)
        )
        box_of_another_seed = augmentation.random_crop_box(
            30, 36, (1.0, 1.0), (1.25, 1.3), _seed(5)
        )
        self.assertAllEqual(box, (0, 0, 30, 36))
        self.assertEqual(box_of_another_seed.shape, [4])


if __name__ == "__main__":
    tf.test.main()
