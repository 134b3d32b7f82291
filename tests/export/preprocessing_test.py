"""Tests for tf_simmim.export.preprocessing."""

import os
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tests.data.sources import corpus
from tests.export import tiny
from tf_simmim import data
from tf_simmim import export

SIZE = (16, 24)
# Of each kind that is odd in its own way.
NAMES = (
    *("plain.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg"),
    *("subsampled.jpg", "thumbnail.jpg", "strip.jpg"),
    *(f"orientation_{n}_little.jpg" for n in range(1, 9)),
    "orientation_6_big.jpg",
)


def good_files():
    """Returns {name: contents} of one image of each kind, all of PNG."""
    return {
        name: item.contents
        for name, item in corpus.corpus().items()
        if item.verdict == "good"
        and (name in NAMES or not name.lower().endswith((".jpg", ".jpeg")))
    }


class PreprocessingTest(tf.test.TestCase, parameterized.TestCase):
    def test_few_files_are_decoded_at_a_time(self):
        """Each may take 300 MB; TensorFlow's own number is 10."""
        preprocessing = export.Preprocessing(
            data.ResizeAndCentreCrop(SIZE), tiny.normalization(3)
        )
        spec = tf.TensorSpec([None], tf.string)
        graph = tf.function(preprocessing.decode).get_concrete_function(spec)
        found = [
            operation.get_attr("parallel_iterations")
            for operation in graph.graph.get_operations()
            if operation.type in ("While", "StatelessWhile")
        ]
        self.assertEqual(found, [4])

    @slow_cases.slow_cases(1)
    @parameterized.parameters(
        (1, data.ResizeAndCentreCrop(SIZE)),
        (3, data.EvaluationCrop(SIZE, 0.8)),
    )
    def test_files_become_what_held_out_images_of_a_folder_become(
        self, channels, crop
    ):
        folder = tiny.new_folder(self)
        for name, contents in good_files().items():
            (folder / name).write_bytes(contents)
        normalization = tiny.normalization(channels)
        source = data.FolderSource(str(folder), "all", channels=channels)
        self.assertGreater(len(source), 30)
        stream = data.ImageStream(source, crop, normalization, shuffle=False)
        (want,) = stream.batches(len(source), stop_index=len(source))
        read = export.Preprocessing(crop, normalization)
        run = tf.function(lambda x: read.normalize(read.decode(x)))
        files = [pathlib.Path(os.fsdecode(p)) for p in source.paths]
        got = run(tf.constant([file.read_bytes() for file in files]))
        self.assertEqual(got.dtype, tf.float32)
        self.assertAllEqual(got, want["image"])

    def test_eager_mode_and_a_graph_of_any_batch_give_the_same_bits(self):
        read = tiny.preprocessing(tiny.simmim())
        run = tf.function(
            read.decode, input_signature=[tf.TensorSpec([None], tf.string)]
        )
        files = tiny.files(3)
        want = read.decode(files)
        self.assertEqual(want.shape, (3, tiny.H, tiny.W, 3))
        self.assertAllEqual(run(files), want)
        self.assertAllEqual(run(files[:1]), want[:1])
        self.assertEqual(run(files[:0]).shape, (0, tiny.H, tiny.W, 3))

    def test_pixels_come_back_from_what_was_normalised(self):
        read = tiny.preprocessing(tiny.simmim())
        pixels = tf.random.stateless_uniform([2, 4, 5, 3], [1, 2], 0.0, 255.0)
        images = read.normalize(pixels)
        self.assertAllClose(images[0, 0, 0, 1], pixels[0, 0, 0, 1] / 63.75 - 2)
        self.assertAllClose(read.to_pixels(images), pixels, rtol=0, atol=1e-4)

    def test_a_damaged_a_foreign_and_a_huge_file_are_refused(self):
        whole = tiny.encoded(tiny.photo(0), "JPEG")
        read = export.Preprocessing(
            data.ResizeAndCentreCrop(SIZE), tiny.normalization(), 1000
        )
        run = tf.function(read.decode)
        for contents, message in (
            (whole[:-40], "cut off"),
            (b"<html>", "not a JPEG, PNG, GIF or BMP"),
            (b"", "not a JPEG, PNG, GIF or BMP"),
            (whole, "1 to 1000 pixels"),
        ):
            with self.assertRaisesRegex(
                tf.errors.InvalidArgumentError, message
            ):
                run(tf.constant([contents]))
            # Apart: with graphs, a failed function must not harm the next.
            small = tiny.encoded(tiny.photo(0, (20, 30)))
            self.assertEqual(run(tf.constant([small])).shape, (1, *SIZE, 3))

    def test_other_numbers_of_channels_have_no_files(self):
        five = data.Normalization([0.5] * 5, [0.2] * 5)
        read = export.Preprocessing(data.ResizeAndCentreCrop(SIZE), five)
        self.assertFalse(read.takes_files)
        self.assertIsNone(read.describe()["formats"])

    def test_a_client_is_told_what_it_has_to_know(self):
        told = tiny.preprocessing(tiny.classifier()).describe()
        self.assertEqual(told["image_size"], [tiny.H, tiny.W])
        self.assertEqual(
            told["crop"], {"name": "EvaluationCrop", "crop_fraction": 0.8}
        )
        self.assertEqual(told["max_pixels"], 25_000_000)
        np.testing.assert_allclose(told["mean"], [0.4, 0.5, 0.6])

    def test_a_limit_that_no_image_could_meet_is_refused(self):
        with self.assertRaisesRegex(ValueError, "`max_pixels`"):
            export.Preprocessing(
                data.ResizeAndCentreCrop(SIZE), tiny.normalization(), 0
            )


if __name__ == "__main__":
    tf.test.main()
