"""Tests for tf_simmim.data.stream."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim import masking
from tf_simmim.data import augmentation
from tf_simmim.data import centre_crop
from tf_simmim.data import normalization
from tf_simmim.data import sources
from tf_simmim.data import stream

NUM_IMAGES = 11
BATCH_SIZE = 4
NUM_BATCHES = 6  # two epochs and a little
IMAGE_SIZE = (8, 12)


def _images(num_images=NUM_IMAGES):
    rng = np.random.RandomState(0)
    return rng.randint(0, 256, (num_images, 10, 14, 2)).astype(np.uint8)


def _source(kind, num_images=NUM_IMAGES):
    images, labels = _images(num_images), np.arange(num_images) % 3
    if kind == "random_access":
        return sources.ArraySource(images, labels)
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    return sources.DatasetSource(dataset)


def _stream(kind="random_access", num_images=NUM_IMAGES, **kwargs):
    source = _source(kind, num_images)
    return stream.ImageStream(
        source,
        augmentation.PretrainingAugmentation(IMAGE_SIZE),
        normalization.Normalization(source.mean, source.std),
        random_mask=masking.RandomPatchMask(
            IMAGE_SIZE, patch_size=2, mask_patch_size=4, mask_ratio=0.55
        ),
        **{"seed": 3, **kwargs},
    )


def _take(batches, num_batches):
    return list(batches.take(num_batches).as_numpy_iterator())


def _joined(batches):
    """Returns {key: rows of all batches}."""
    return {
        key: np.concatenate([batch[key] for batch in batches])
        for key in batches[0]
    }


class ImageStreamTest(tf.test.TestCase, parameterized.TestCase):
    def assert_same(self, batches, want):
        self.assertLen(batches, len(want))
        for batch, wanted in zip(batches, want, strict=True):
            self.assertEqual(set(batch), set(wanted))
            for key in wanted:
                np.testing.assert_array_equal(batch[key], wanted[key])

    def test_batches_have_static_shapes_and_the_types_of_the_contract(self):
        batches = _stream().batches(BATCH_SIZE)
        want = {
            "image": tf.TensorSpec([4, 8, 12, 2], tf.float32),
            "patch_mask": tf.TensorSpec([4, 4, 6], tf.int32),
            "label": tf.TensorSpec([4], tf.int64),
            "index": tf.TensorSpec([4], tf.int64),
        }
        self.assertEqual(batches.element_spec, want)
        self.assertEqual(batches.cardinality(), tf.data.INFINITE_CARDINALITY)

    def test_images_are_normalised_and_masks_hide_the_exact_count(self):
        everything = _joined(_take(_stream().batches(BATCH_SIZE), NUM_BATCHES))
        self.assertBetween(everything["image"].mean(), -0.5, 0.7)
        self.assertBetween(everything["image"].std(), 0.5, 1.5)
        # ceil(0.55 * 6) = 4 mask patches of 2 x 2 model patches.
        self.assertAllEqual(
            everything["patch_mask"].sum(axis=(1, 2)), [16] * 24
        )
        self.assertAllInSet(everything["patch_mask"], [0, 1])
        self.assertAllEqual(everything["label"], everything["index"] % 3)

    @slow_cases.slow_cases(0)
    @parameterized.parameters("random_access", "streaming")
    def test_a_restart_at_any_step_gives_the_same_rest(self, kind):
        whole = _take(_stream(kind).batches(BATCH_SIZE), NUM_BATCHES)
        for step in range(NUM_BATCHES):
            resumed = _stream(kind).batches(
                BATCH_SIZE, start_index=step * BATCH_SIZE
            )
            rest = _take(resumed, NUM_BATCHES - step)
            self.assert_same(rest, whole[step:])

    @slow_cases.slow_cases(0, 2, 3, 4, 5, 6, 7)
    @parameterized.product(
        kind=("random_access", "streaming"), num_workers=(2, 4), step=(0, 3)
    )
    def test_many_workers_share_the_batches_of_one(
        self, kind, num_workers, step
    ):
        start = step * BATCH_SIZE
        whole = _take(_stream(kind).batches(BATCH_SIZE, start), 3)
        shares = [
            _take(
                _stream(kind).batches(
                    BATCH_SIZE, start, num_workers=num_workers, worker=worker
                ),
                3,
            )
            for worker in range(num_workers)
        ]
        put_together = [_joined(parts) for parts in zip(*shares, strict=True)]
        self.assert_same(put_together, whole)

    @parameterized.parameters("random_access", "streaming")
    def test_a_worker_with_replicas_gets_a_part_for_each(self, kind):
        whole = _take(_stream(kind).batches(BATCH_SIZE, 4), 3)
        for worker in range(2):
            parts = _stream(kind).batches(
                BATCH_SIZE, 4, num_workers=2, worker=worker, num_replicas=2
            )
            parts = _take(parts, 6)
            for number, part in enumerate(parts):
                row = 2 * worker + number % 2
                want = whole[number // 2]["image"][row : row + 1]
                self.assertAllEqual(part["image"], want)

    def test_pixels_are_those_that_would_have_been_normalised(self):
        want = _joined(_take(_stream().batches(BATCH_SIZE), 2))
        got = _joined(_take(_stream(image_dtype="uint8").batches(4), 2))
        self.assertEqual(got["image"].dtype, np.uint8)
        self.assertAllEqual(got["patch_mask"], want["patch_mask"])
        source = _source("random_access")
        normalize = normalization.Normalization(source.mean, source.std)
        self.assertAllClose(
            normalize.normalize(got["image"]),
            want["image"],
            atol=0.5001 / 255 / min(source.std),
        )
        with self.assertRaisesRegex(ValueError, "`image_dtype` must be one"):
            _stream(image_dtype="float16")

    @parameterized.parameters("random_access", "streaming")
    def test_every_epoch_has_every_image_once_in_its_own_order(self, kind):
        batches = _stream(kind).batches(1)
        index = _joined(_take(batches, 3 * NUM_IMAGES))["index"]
        epochs = index.reshape(3, NUM_IMAGES)
        for epoch in epochs:
            self.assertCountEqual(epoch, range(NUM_IMAGES))
        self.assertLen({tuple(epoch) for epoch in epochs}, 3)

    @parameterized.product(
        kind=("random_access", "streaming"), num_parallel_calls=(1, 2, 7)
    )
    def test_parallelism_changes_nothing(self, kind, num_parallel_calls):
        want = _take(_stream(kind).batches(BATCH_SIZE), NUM_BATCHES)
        batches = _stream(kind).batches(
            BATCH_SIZE, num_parallel_calls=num_parallel_calls
        )
        self.assert_same(_take(batches, NUM_BATCHES), want)

    @parameterized.parameters("random_access", "streaming")
    def test_the_global_seed_of_tensorflow_changes_nothing(self, kind):
        tf.random.set_seed(1)
        first = _take(_stream(kind).batches(BATCH_SIZE), NUM_BATCHES)
        tf.random.set_seed(2)
        again = _take(_stream(kind).batches(BATCH_SIZE), NUM_BATCHES)
        self.assert_same(again, first)

    def test_the_batch_size_does_not_change_the_elements(self):
        want = _joined(_take(_stream().batches(4), 6))
        got = _joined(_take(_stream().batches(3), 8))
        self.assert_same([got], [want])

    def test_an_element_made_eagerly_is_that_of_the_pipeline(self):
        images = _stream()
        want = _joined(_take(images.batches(BATCH_SIZE), NUM_BATCHES))
        for k in range(NUM_BATCHES * BATCH_SIZE):
            for key, value in images.element(k).items():
                np.testing.assert_array_equal(value, want[key][k])

    @parameterized.parameters("random_access", "streaming")
    def test_the_seed_changes_order_images_and_masks(self, kind):
        one, two = (
            _joined(_take(_stream(kind, seed=seed).batches(4), 2))
            for seed in (0, 1)
        )
        for key in ("index", "image", "patch_mask"):
            self.assertNotAllEqual(one[key], two[key])

    def test_an_image_is_augmented_and_masked_anew_in_every_epoch(self):
        elements = [_stream(num_images=1).element(k) for k in range(3)]
        self.assertNotAllEqual(elements[0]["image"], elements[1]["image"])
        self.assertNotAllEqual(elements[1]["image"], elements[2]["image"])
        masks = {e["patch_mask"].numpy().tobytes() for e in elements}
        self.assertGreater(len(masks), 1)

    @parameterized.parameters("random_access", "streaming")
    def test_a_batch_larger_than_the_source_crosses_epochs(self, kind):
        batches = _stream(kind, num_images=3).batches(8)
        index = _joined(_take(batches, 3))["index"].reshape(8, 3)
        self.assertAllEqual(np.sort(index), [[0, 1, 2]] * 8)

    @parameterized.product(
        kind=("random_access", "streaming"), num_workers=(1, 2)
    )
    def test_held_out_images_come_once_in_order(self, kind, num_workers):
        source = _source(kind)
        held_out = stream.ImageStream(
            source,
            centre_crop.ResizeAndCentreCrop((10, 14)),
            normalization.Normalization(source.mean, source.std),
            shuffle=False,
        )
        shares = [
            _take(
                held_out.batches(
                    BATCH_SIZE,
                    stop_index=len(source),
                    num_workers=num_workers,
                    worker=worker,
                    drop_remainder=False,
                ),
                100,
            )
            for worker in range(num_workers)
        ]
        rows = [
            share[batch]
            for batch in range(3)
            for share in shares
            if batch < len(share)
        ]
        got = _joined(rows)
        self.assertNotIn("patch_mask", got)
        self.assertAllEqual(got["index"], np.arange(NUM_IMAGES))
        want = normalization.Normalization(source.mean, source.std).normalize(
            _images()
        )
        self.assertAllClose(got["image"], want, atol=1e-5)
        self.assertLen(rows[-1]["index"], 1 if num_workers == 2 else 3)

    @parameterized.parameters("random_access", "streaming")
    def test_the_last_partial_batch_is_dropped_unless_asked_for(self, kind):
        batches = _stream(kind).batches(4, start_index=4, stop_index=11)
        self.assertLen(_take(batches, 100), 1)
        self.assertEmpty(_take(_stream(kind).batches(4, 8, 8), 100))

    def test_an_unlabelled_source_gives_no_label(self):
        images = stream.ImageStream(
            sources.ArraySource(_images()),
            centre_crop.ResizeAndCentreCrop(4),
            normalization.Normalization((0.5, 0.5), (0.5, 0.5)),
        )
        self.assertEqual(set(images.element(0)), {"image", "index"})

    def test_images_of_unequal_sizes_become_batches(self):
        def images():
            for number in range(5):
                yield np.full([6 + number, 9, 2], number, np.uint8)

        dataset = tf.data.Dataset.from_generator(
            images, output_signature=tf.TensorSpec([None, None, 2], tf.uint8)
        )
        resized = stream.ImageStream(
            sources.DatasetSource(dataset, num_images=5),
            augmentation.PretrainingAugmentation((4, 6)),
            normalization.Normalization((0.0, 0.0), (1 / 255, 1 / 255)),
        )
        got = _joined(_take(resized.batches(5), 2))
        self.assertAllClose(got["image"][:, 0, 0, 0], got["index"], atol=1e-4)

    @parameterized.parameters(
        (dict(batch_size=0), "`batch_size` must be a positive multiple"),
        (dict(batch_size=4, num_workers=3), "that works is 3 or 6. Rec"),
        (dict(batch_size=4, num_workers=0), "`num_workers` must be 1 or"),
        (dict(batch_size=4, num_replicas=0), "`num_replicas` must be 1 or"),
        (dict(batch_size=7, num_replicas=3), "that works is 6 or 9. Rec"),
        (dict(batch_size=4, num_workers=2, worker=2), "lie in 0..1"),
        (dict(batch_size=4, start_index=6), "`start_index` must be a mult"),
        (dict(batch_size=4, start_index=-4), "`start_index` must be a mult"),
        (dict(batch_size=4, start_index=8, stop_index=7), "`stop_index` must"),
    )
    def test_an_impossible_batch_is_refused(self, arguments, what):
        with self.assertRaisesRegex(ValueError, what):
            _stream().batches(**arguments)

    def test_a_normalisation_for_other_channels_is_refused(self):
        with self.assertRaisesRegex(ValueError, "3 means, and 2 channels in a"):
            stream.ImageStream(
                sources.ArraySource(_images()),
                augmentation.PretrainingAugmentation(8),
                normalization.Normalization(),
            )


if __name__ == "__main__":
    tf.test.main()
