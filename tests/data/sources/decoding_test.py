"""Tests for tf_simmim.data.sources.decoding and the formats it reads."""

import pathlib
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests.data.sources import corpus
from tf_simmim.data.sources import decoding

_LOSSY = 12  # of 255: JPEG, at an edge between two colours


class DecodingTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.items = corpus.corpus()
        cls.good, cls.bad = (
            sorted(n for n, i in cls.items.items() if i.verdict == verdict)
            for verdict in ("good", "bad")
        )

    def test_the_corpus_is_large_and_has_both_verdicts(self):
        self.assertGreater(len(self.good), 40)
        self.assertGreater(len(self.bad), 40)

    @parameterized.parameters(1, 3)
    def test_a_good_file_is_decoded_to_its_size_and_colours(self, channels):
        for name in self.good:
            with self.subTest(name):
                self.check_good(name, channels)

    def check_good(self, name, channels):
        item = self.items[name]
        image = decoding.decode(item.contents, channels, [name])
        self.assertEqual(image.dtype, tf.uint8)
        self.assertEqual(tuple(image.shape), (*item.size, channels))
        if item.pixels is not None:
            want = decoding.to_channels(tf.constant(item.pixels), channels)
            is_jpeg = item.contents.startswith(b"\xff\xd8\xff")
            self.assertAllClose(
                tf.cast(image, tf.int32),
                tf.cast(want, tf.int32),
                atol=_LOSSY if is_jpeg else 0,
                rtol=0,
            )

    @parameterized.parameters(1, 3)
    def test_tf_data_reads_good_files_as_eager_mode_does(self, channels):
        contents = [self.items[name].contents for name in self.good]
        files = tf.data.Dataset.from_tensor_slices((contents, self.good))
        images = files.map(
            lambda contents, name: decoding.decode(contents, channels, [name])
        )
        self.assertEqual(
            images.element_spec.shape.as_list(), [None, None, channels]
        )
        for file, image in zip(contents, images, strict=True):
            want = decoding.decode(file, channels, ["a file"])
            self.assertAllEqual(image, want)

    @parameterized.parameters(1, 3)
    def test_a_bad_file_is_refused_in_eager_mode_and_in_graphs(self, channels):
        decode = tf.function(
            lambda file, name: decoding.decode(file, channels, [name])
        )
        for name in self.bad:
            with self.subTest(name):
                file = tf.constant(self.items[name].contents)
                with self.assertRaises(tf.errors.InvalidArgumentError) as eager:
                    decoding.decode(file, channels, [name])
                with self.assertRaises(tf.errors.InvalidArgumentError) as graph:
                    decode(file, tf.constant(name))
                self.assertIn(name, str(eager.exception))
                if self.items[name].reason != "damaged":
                    self.assertIn(name, str(graph.exception))

    def test_tf_data_refuses_a_bad_file_by_name(self):
        files = tf.data.Dataset.from_tensors(
            self.items["cut_by_one.jpg"].contents
        )
        images = files.map(lambda file: decoding.decode(file, 3, ["that one"]))
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, r"JPEG is cut off(.|\n)*that one"
        ):
            list(images)

    def test_a_message_says_which_rule_is_broken_by_which_file(self):
        rules = {
            "page.jpg": "not a JPEG, PNG, GIF or BMP image",
            "cut_in_half.png": "PNG is cut off",
            "cut_in_half.gif": "first frame of this GIF is cut off",
            "cut_by_one.bmp": "BMP is cut off",
            "bilevel.bmp": "8, 24 or 32 bits.*1",
            "bomb.png": "50000000 pixels.*12000.*12000",
            "no_width.png": "1 to 50000000 pixels.*16.*0",
        }
        decode = tf.function(
            lambda file, name: decoding.decode(file, 3, [name])
        )
        for name, rule in rules.items():
            file = tf.constant(self.items[name].contents)
            error = tf.errors.InvalidArgumentError
            with self.subTest(name):
                with self.assertRaisesRegex(error, f"{rule}.*{name}"):
                    decode(file, tf.constant(name))
                # In eager mode it is nothing but that.
                with self.assertRaisesRegex(
                    error, rf"^[^\n]*{rule}[^\n]*{name}$"
                ):
                    decoding.decode(file, 3, [name])

    def test_eager_mode_names_a_file_that_the_decoder_refuses(self):
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError,
            r"^This image is damaged: that one 7 \(jpeg::Uncompress",
        ):
            decoding.decode(
                self.items["no_tables.jpg"].contents,
                3,
                [tf.constant("that one"), tf.constant(7)],
            )

    def test_the_limit_is_the_largest_size_that_is_read(self):
        num_pixels = corpus.HEIGHT * corpus.WIDTH
        for name in ("plain.jpg", "plain.png", "plain.gif", "plain.bmp"):
            contents = self.items[name].contents
            with self.subTest(name):
                image = decoding.decode(contents, 3, [name], num_pixels)
                self.assertEqual(image.shape, [corpus.HEIGHT, corpus.WIDTH, 3])
                with self.assertRaisesRegex(
                    tf.errors.InvalidArgumentError,
                    f"1 to {num_pixels - 1} pixels",
                ):
                    decoding.decode(contents, 3, [name], num_pixels - 1)

    @pytest.mark.slow
    def test_a_saved_model_reads_files_as_training_does(self):
        module = tf.Module()
        module.decode = tf.function(
            lambda contents: decoding.decode(contents, 3, ["the request"]),
            input_signature=[tf.TensorSpec([], tf.string)],
        )
        with tempfile.TemporaryDirectory() as folder:
            path = str(pathlib.Path(folder) / "model")
            tf.saved_model.save(module, path)
            loaded = tf.saved_model.load(path)
        for name in self.good:
            contents = self.items[name].contents
            self.assertAllEqual(
                loaded.decode(tf.constant(contents)),
                decoding.decode(contents, 3, [name]),
            )
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "the request"
        ):
            loaded.decode(tf.constant(self.items["cut_by_two.jpg"].contents))

    @parameterized.parameters(0, -1)
    def test_a_limit_that_nothing_meets_is_refused(self, max_pixels):
        with self.assertRaisesRegex(ValueError, "`max_pixels` must be 1 or"):
            decoding.require_max_pixels(max_pixels)

    def test_orientations_5_to_8_exchange_the_sides(self):
        # Stored lying, 24 rows of 16; `size` in the corpus is upright.
        contents = self.items["orientation_6_big.jpg"].contents
        stored = tf.io.decode_jpeg(contents)
        self.assertEqual(stored.shape, [corpus.WIDTH, corpus.HEIGHT, 3])
        image = decoding.decode(contents, 3, ["lying"])
        self.assertAllEqual(image, np.rot90(stored, k=-1))


if __name__ == "__main__":
    tf.test.main()
