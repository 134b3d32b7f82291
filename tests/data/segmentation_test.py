"""Tests for masks of classes on their way: transforms and the stream."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_simmim import data
from tf_simmim import randomness

SIZE = (8, 12)
# Reds of the classes; none is between two others by half.
REDS = np.array([0, 37, 101, 167, 251])


def picture(height=30, width=40):
    """Returns an image whose red says the class of each pixel, and these."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 5, [height // 5, width // 5])
    truth = blocks.repeat(5, axis=0).repeat(5, axis=1)[..., np.newaxis]
    image = np.concatenate([REDS[truth], 0 * truth, 0 * truth], axis=-1)
    return image.astype(np.uint8), truth.astype(np.uint8)


def seed(number):
    return randomness.seed_for(0, randomness.AUGMENTATION, number)


class TransformsTest(tf.test.TestCase, parameterized.TestCase):
    def assert_together(self, image, truth, least):
        """Where the image is of one class, the mask says which."""
        distance = np.abs(image[..., :1].numpy() - REDS)
        is_pure = distance.min(axis=-1) < 1e-3
        self.assertGreater(is_pure.mean(), least)
        self.assertAllEqual(
            distance.argmin(axis=-1)[is_pure], truth.numpy()[..., 0][is_pure]
        )

    def test_an_augmented_mask_stays_on_its_image(self):
        image, truth = picture()
        augmentation = data.PretrainingAugmentation(SIZE, (0.05, 0.2))
        for number in range(6):  # some of them mirrored
            alone = augmentation(image, seed(number))
            moved, mask = augmentation(image, seed(number), segmentation=truth)
            self.assertAllEqual(moved, alone)
            self.assertEqual((mask.dtype, mask.shape), (tf.uint8, [*SIZE, 1]))
            self.assert_together(moved, mask, least=0.3)

    def test_classes_are_never_mixed(self):
        truth = np.where(np.arange(40) % 2, 7, 200)
        truth = np.broadcast_to(truth[:, np.newaxis], [30, 40, 1])
        image, _ = picture()
        for transform in (
            data.PretrainingAugmentation(SIZE),
            data.ResizeAndCentreCrop(SIZE),
        ):
            _, mask = transform(image, seed(1), segmentation=np.uint8(truth))
            self.assertContainsSubset(np.unique(mask), {7, 200})

    @parameterized.parameters(((6, 8),), ((5, 10),))
    def test_a_centre_crop_takes_the_mask_along(self, size):
        image, truth = picture()
        crop = data.ResizeAndCentreCrop(size)
        moved, mask = crop(image, segmentation=truth)
        self.assertAllEqual(moved, crop(image))
        if size == (6, 8):  # the whole of it: the middles of all blocks
            self.assertAllEqual(mask, truth[2::5, 2::5])

    def test_eagerly_and_in_a_graph_they_are_the_same(self):
        image, truth = picture()
        augmentation = data.PretrainingAugmentation(SIZE)
        run = tf.function(
            lambda image, truth: augmentation(image, seed(3), truth)
        )
        for a, b in zip(
            run(image, truth), augmentation(image, seed(3), truth), strict=True
        ):
            self.assertAllEqual(a, b)


class StreamTest(tf.test.TestCase):
    def create(self, source, **options):
        return data.ImageStream(
            source,
            data.PretrainingAugmentation((32, 48), horizontal_flip=False),
            data.Normalization(source.mean, source.std),
            seed=3,
            **options,
        )

    def test_elements_carry_their_masks_into_batches(self):
        stream = self.create(data.DigitScenesSource(), with_segmentation=True)
        batches = stream.batches(4, start_index=8)
        self.assertEqual(
            batches.element_spec["segmentation"],
            tf.TensorSpec([4, 32, 48, 1], tf.uint8),
        )
        batch = next(iter(batches))
        element = stream.element(9)
        for key, value in element.items():
            self.assertAllEqual(batch[key][1], value)

    def test_without_being_asked_a_stream_has_none(self):
        stream = self.create(data.DigitScenesSource())
        self.assertEqual(
            set(stream.batches(4).element_spec), {"image", "index"}
        )

    def test_a_source_without_classes_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`with_segmentation`"):
            self.create(data.DigitsSource(channels=3), with_segmentation=True)


if __name__ == "__main__":
    tf.test.main()
