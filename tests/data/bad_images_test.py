"""Tests for bad_images, and for what a stream does with bad images."""

import pathlib
import tempfile
import time

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim.data import augmentation
from tf_simmim.data import bad_images
from tf_simmim.data import errors
from tf_simmim.data import normalization
from tf_simmim.data import order
from tf_simmim.data import sources
from tf_simmim.data import stream

NUM_IMAGES = 11
BATCH_SIZE = 4
NUM_BATCHES = 6  # two epochs and a little


class BadImagesTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        for number in range(NUM_IMAGES):
            pixels = np.full([9 + number % 3, 7, 3], 20 * number, np.uint8)
            contents = tf.io.encode_png(pixels).numpy()
            self.path(number).write_bytes(contents)
        self.source = sources.FolderSource(str(self.root), "all")

    def path(self, number):
        return self.root / f"{number:02d}.png"

    def spoil(self, *numbers):
        for number in numbers:
            self.path(number).write_text("not an image")

    def stream(self, **kwargs):
        return stream.ImageStream(
            self.source,
            augmentation.PretrainingAugmentation((8, 12)),
            normalization.Normalization(),
            **{"seed": 3, **kwargs},
        )

    def taken(self, images, num_batches=NUM_BATCHES, **kwargs):
        batches = images.batches(BATCH_SIZE, **kwargs).take(num_batches)
        batches = list(batches.as_numpy_iterator())
        return {
            key: np.concatenate([batch[key] for batch in batches])
            for key in batches[0]
        }

    def assert_same(self, got, want):
        self.assertEqual(set(got), set(want))
        for key in want:
            np.testing.assert_array_equal(got[key], want[key])

    def wanted_indices(self, images, bad, num_elements):
        """Spells the rule out."""
        wanted = []
        for k in range(num_elements):
            epoch, position = divmod(k, NUM_IMAGES)
            seed = images._order_seed(epoch)
            epoch = [
                int(order.shuffled(tf.constant(p, tf.int64), NUM_IMAGES, seed))
                for p in range(NUM_IMAGES)
            ]
            epoch = epoch[position:] + epoch[:position]
            wanted.append(next(i for i in epoch if i not in bad))
        return wanted

    @parameterized.parameters(
        ([4],), ([0, 1, 2, 5, 9],), ([n for n in range(11) if n != 6],)
    )
    @pytest.mark.slow
    def test_the_next_good_image_of_the_epoch_takes_the_place(self, bad):
        images = self.stream()
        whole = self.taken(images)
        self.spoil(*bad)
        images = self.stream()
        got = self.taken(images)
        want = self.wanted_indices(images, bad, NUM_BATCHES * BATCH_SIZE)
        self.assertAllEqual(got["index"], want)
        good = whole["index"] == got["index"]
        self.assertEqual(
            good.sum(), np.isin(whole["index"], bad).sum() * -1 + 24
        )
        np.testing.assert_array_equal(got["image"][good], whole["image"][good])
        self.assertLen(images.bad_images, len(bad))

    @pytest.mark.slow
    def test_past_the_end_of_an_epoch_its_start_goes_on(self):
        self.spoil(9, 10)
        images = self.stream(shuffle=False)
        self.assertAllEqual(
            self.taken(images)["index"][:13], [*range(9), 0, 0, 0, 1]
        )

    def test_a_replacement_keeps_the_augmentation_of_its_element(self):
        self.spoil(4)
        images = self.stream(shuffle=False)
        replaced = images.element(4)
        self.assertEqual(replaced["index"], 5)
        want = images._finish(
            self.source.read(tf.constant(5, tf.int64)), replaced["index"], 4
        )
        self.assertAllEqual(replaced["image"], want["image"])
        self.assertNotAllEqual(replaced["image"], images.element(5)["image"])

    @pytest.mark.slow
    def test_a_restart_at_any_step_gives_the_same_rest(self):
        self.spoil(0, 3, 4, 10)
        whole = self.taken(self.stream())
        for step in range(NUM_BATCHES):
            rest = self.taken(
                self.stream(),
                NUM_BATCHES - step,
                start_index=step * BATCH_SIZE,
            )
            want = {k: v[step * BATCH_SIZE :] for k, v in whole.items()}
            self.assert_same(rest, want)

    @pytest.mark.slow
    def test_workers_together_take_what_one_takes_alone(self):
        self.spoil(0, 3, 4, 10)
        whole = self.taken(self.stream())["index"].reshape(-1, 2, 2)
        for worker in range(2):
            own = self.taken(self.stream(), num_workers=2, worker=worker)
            self.assertAllEqual(own["index"].reshape(-1, 2), whole[:, worker])

    @pytest.mark.slow
    def test_an_element_made_eagerly_is_that_of_the_pipeline(self):
        self.spoil(0, 3, 4, 10)
        want = self.taken(self.stream())
        images = self.stream()
        for k in range(NUM_BATCHES * BATCH_SIZE):
            for key, value in images.element(k).items():
                np.testing.assert_array_equal(value, want[key][k])

    @pytest.mark.slow
    def test_no_batch_is_made_in_python_before_it_is_asked_for(self):
        """Or deleting the iterator could wait for Python for ever."""
        images = self.stream()
        later = self.wanted_indices(images, (), 2 * BATCH_SIZE)[-1]
        self.spoil(later)
        batches = iter(images.batches(BATCH_SIZE))
        next(batches)
        time.sleep(0.5)
        self.assertEmpty(images.bad_images.reasons)
        next(batches)
        self.assertLen(images.bad_images.reasons, 1)

    @pytest.mark.slow
    def test_a_file_that_vanishes_in_mid_run_is_replaced(self):
        images = self.stream(shuffle=False)
        batches = iter(images.batches(NUM_IMAGES))
        next(batches)
        self.path(6).unlink()
        seen = [next(batches)["index"].numpy() for _ in range(9)]
        self.assertAllEqual(seen[-1], [0, 1, 2, 3, 4, 5, 7, 7, 8, 9, 10])

    def test_each_bad_image_is_logged_once_with_name_and_reason(self):
        self.spoil(2)
        contents = self.path(8).read_bytes()
        self.path(8).write_bytes(contents[: len(contents) // 2])
        with self.assertLogs("absl", "WARNING") as logs:
            images = self.stream()
            self.taken(images)
        self.assertLen(logs.output, 2)
        self.assertIn(f"{self.path(2)}: This is not a", str(logs.output))
        self.assertRegex(str(logs.output), f"{self.path(8)}: .*PNG")

    @slow_cases.slow_cases(1)
    @parameterized.parameters(0, 2)
    def test_more_than_the_cap_end_the_stream(self, max_bad_images):
        self.spoil(1, 5, 8)
        images = self.stream(max_bad_images=max_bad_images)
        with self.assertRaises(tf.errors.OpError):
            self.taken(images)
        self.assertRegex(
            str(images.error),
            f"{max_bad_images + 1} of the 11 images of folder:.* at most "
            f"{max_bad_images} may be.*not an? .*check_data.py folder:",
        )
        with self.assertRaises(errors.TooManyBadImagesError):
            for k in range(NUM_IMAGES):
                images.element(k)

    @pytest.mark.slow
    def test_a_source_without_a_good_image_is_no_endless_loop(self):
        self.spoil(*range(NUM_IMAGES))
        images = self.stream(max_bad_images=1000)
        for _ in range(2):
            with self.assertRaises(tf.errors.OpError):
                self.taken(images)
        self.assertIn("11 of the 11 images", str(images.error))
        self.assertIn("at least one must be good", str(images.error))
        self.assertNotIn("higher", str(images.error))

    def test_the_advice_is_a_command_and_what_can_help(self):
        options = {"name": "folder:two words/*", "num_images": 5, "channels": 3}
        source = sources.Source(**options)
        streamed = sources.Source(**options, random_access=False)
        cases = (
            (source, 2, 1, "a higher `max_bad_images`"),
            (source, 1, 0, "then mend them where they are. W"),
            (source, 5, 7, "at least one must be good"),
            (streamed, 1, 0, "cannot be replaced"),
        )
        for source, count, most, words in cases:
            reasons = {f"{n}.jpg": "empty" for n in range(count)}
            error = errors.TooManyBadImagesError(source, reasons, most)
            self.assertIn(words, str(error))
            self.assertIn("check_data.py 'folder:two words/*'`", str(error))
            self.assertIn("begin a new run", str(error))
            self.assertEqual("higher" in str(error), count == 2)
            self.assertNotIn("--", str(error))

    @pytest.mark.slow
    def test_what_is_no_fault_of_an_image_is_not_replaced(self):
        def fail(image, seed):
            with tf.control_dependencies(
                [tf.debugging.Assert(False, ["no fault of the image"])]
            ):
                return tf.zeros([8, 12, 3])

        images = stream.ImageStream(
            self.source, fail, normalization.Normalization()
        )
        with self.assertRaisesRegex(tf.errors.OpError, "no fault of the imag"):
            self.taken(images)
        self.assertEmpty(images.bad_images)

    def test_an_image_in_memory_cannot_be_bad(self):
        source = sources.ArraySource(np.zeros([3, 9, 7, 3], np.uint8))
        images = stream.ImageStream(
            source,
            augmentation.PretrainingAugmentation((8, 12)),
            normalization.Normalization(),
        )
        self.assertIsNone(images.bad_images)

    def test_the_default_cap_is_a_hundred_or_one_in_a_thousand(self):
        self.assertEqual(bad_images.BadImages(self.source).max_bad_images, 100)
        many = sources.ArraySource(np.zeros([150_999, 1, 1, 1], np.uint8))
        self.assertEqual(bad_images.BadImages(many).max_bad_images, 150)

    def test_a_negative_cap_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`max_bad_images`.*-1"):
            bad_images.BadImages(self.source, -1)


if __name__ == "__main__":
    tf.test.main()
