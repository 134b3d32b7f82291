"""Tests for tf_simmim.data.bit_depth."""

import io
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tests.data.inspection import odd_files
from tf_simmim import data
from tf_simmim.data import bit_depth


def png(low, high, dtype=np.uint16):
    """Returns a grey PNG with values from `low` to `high`."""
    values = np.linspace(low, high, 6 * 40).round().astype(dtype)
    file = io.BytesIO()
    Image.fromarray(values.reshape(6, 40)).save(file, "PNG")
    return file.getvalue()


class BitDepthTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((0, 4095), (17, 1023), (0, 65535))
    def test_the_range_of_16_bits_is_found(self, low, high):
        self.assertEqual(
            bit_depth.range_of_16_bits(png(low, high)), (low, high)
        )

    def test_a_hot_and_a_dead_pixel_are_no_part_of_it(self):
        image = np.linspace(30000, 31999, 2000).astype(np.uint16)
        image[[700, 900]] = 65535, 0
        contents = tf.io.encode_png(image.reshape(40, 50, 1)).numpy()
        low, high = bit_depth.range_of_16_bits(contents)
        self.assertBetween(low, 30000, 30010)
        self.assertBetween(high, 31990, 31999)

    def test_transparency_is_no_part_of_it(self):
        for channels, shade in ((2, 300), (4, 700)):
            image = np.full([6, 9, channels], shade, np.uint16)
            image[..., -1] = 65535
            contents = tf.io.encode_png(image).numpy()
            self.assertEqual(
                bit_depth.range_of_16_bits(contents), (shade, shade)
            )

    def test_other_files_have_none(self):
        cut = png(0, 4095)[:-30]
        others = (b"", b"\x89PNG\r\n\x1a\n", cut, png(0, 255, np.uint8))
        for contents in (*others, odd_files.encoded()):
            self.assertIsNone(bit_depth.range_of_16_bits(contents))
        whole = png(0, 4095)
        self.assertIsNone(bit_depth.range_of_16_bits(whole, max_pixels=239))

    def test_a_part_of_the_range_is_told_from_the_whole(self):
        for values, narrow in (
            ((0, 4095), True),
            ((0, 16383), True),
            ((30000, 35000), True),
            ((0, 65535), False),
            ((100, 40000), False),
        ):
            self.assertEqual(bit_depth.is_narrow(values), narrow)

    def warned(self, highest, form):
        """Returns what is logged of a source with such images."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            spec = f"folder:{root}"
            images = [png(0, high) for high in highest]
            images.append(odd_files.encoded("PNG"))
            if form == "tfrecord":
                spec = f"tfrecord:{root}/*"
                write_records(root / "0", images)
            else:
                odd_files.write(
                    root, {f"{n}.png": each for n, each in enumerate(images)}
                )
            source = data.open_source(spec, "all")
            source = data.FewImages(source, len(images))
            with self.assertLogs("absl", "WARNING") as logs:
                bit_depth.logging.warning("begin")
                bit_depth.warn(source)
        return logs.output[1:]

    @parameterized.parameters("folder", "tfrecord")
    def test_a_source_is_named_with_the_range_found(self, form):
        (line,) = self.warned([4095, 3000], form)
        self.assertIn(
            "images of 16 bits a channel, 2 of the 3 that were looked at, with "
            "values from 0 to 4,095 of 65,535",
            line,
        )
        self.assertIn(f"{form}:", line)
        self.assertEmpty(self.warned([4095, 65535], form))
        (line,) = self.warned([4095, 65535, 3000], form)
        self.assertIn("2 of the 4 that were looked at, with values from", line)
        self.assertIn("from 0 to 4,095", line)
        self.assertEmpty(self.warned([], form))


def write_records(path, images):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image in images:
            value = tf.train.BytesList(value=[image])
            feature = {"image/encoded": tf.train.Feature(bytes_list=value)}
            features = tf.train.Features(feature=feature)
            example = tf.train.Example(features=features)
            writer.write(example.SerializeToString())


if __name__ == "__main__":
    tf.test.main()
