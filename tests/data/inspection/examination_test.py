"""Tests for tf_simmim.data.inspection.examination, one reason at a time."""

import hashlib
import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.data.inspection import odd_files
from tests.data.sources import corpus
from tf_simmim.data import inspection
from tf_simmim.data.sources import data_manifest
from tf_simmim.data.sources import folder

JPEG = odd_files.encoded()
PNG = odd_files.encoded("PNG")
TINY, LONG = (
    odd_files.encoded("PNG", size=size) for size in ((33, 31), (353, 32))
)
NEITHER = "not_an_image"

BAD = (
    ("empty", "a.jpg", b"", "empty", ""),
    ("html", "a.jpg", b"<html>404</html>", NEITHER, "a web page, 16 bytes"),
    ("zeros", "a.jpg", bytes(99), NEITHER, "nothing but zeros, 99 bytes"),
    ("webp", "a.jpg", odd_files.encoded("WEBP"), NEITHER, "WEBP, "),
    ("tiff", "a.png", odd_files.encoded("TIFF"), NEITHER, "TIFF, "),
    ("text", "a.bmp", b"hello", NEITHER, "unknown, 5 bytes"),
    ("cut_jpeg", "a.jpg", JPEG[:-40], "truncated", "56 x 40"),
    ("cut_header", "a.jpg", JPEG[:60], "truncated", "60 bytes"),
    ("cut_png", "a.png", PNG[: len(PNG) // 2], "truncated", "56 x 40"),
    ("flip_png", "a.png", odd_files.flipped(PNG), "damaged", "56 x 40"),
    ("huge", "a.png", odd_files.huge_png(), "too_large", "8000 x 8000"),
)
ODD = (
    ("suffix", "a.jpg", PNG, "wrong_suffix", "a PNG file"),
    ("cmyk", "a.jpg", odd_files.encoded(mode="CMYK"), "cmyk", ""),
    ("16_bit", "a.png", odd_files.png_16_bit(), "16_bit", ""),
    (
        *("12_bit", "a.png", odd_files.png_16_bit(1), "16_bit_part"),
        "values from 2 to 2,237 of 65,535",
    ),
    ("alpha", "a.png", odd_files.encoded("PNG", "RGBA"), "alpha", ""),
    ("animated", "a.gif", odd_files.animated(), "animated", ""),
    ("turned", "a.jpeg", odd_files.turned(), "turned", "orientation 6"),
    ("trailing", "a.jpg", JPEG + b"1234", "trailing_bytes", "4 of them"),
    ("name", b"\xff.jpg", JPEG, "name_not_utf8", ""),
    (
        "tiny",
        "a.png",
        TINY,
        "tiny",
        "33 x 31",
    ),
    (
        "long",
        "a.png",
        LONG,
        "long",
        "353 x",
    ),
)
PLAIN = (
    ("a.jpg", JPEG),
    ("A.JPEG", JPEG),
    ("a.png", PNG),
    ("a.PNG", odd_files.encoded("PNG", "P")),
    ("a.gif", odd_files.encoded("GIF")),
    ("a.bmp", odd_files.encoded("BMP")),
    ("a.jpg", odd_files.encoded(mode="L", progressive=True)),
    ("a.png", odd_files.encoded("PNG", size=(320, 32))),
)


class ExaminationTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.examiner = inspection.Examiner()

    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def examine(self, name, contents):
        odd_files.write(self.root, {name: contents, "plain.jpg": JPEG})
        name = os.fsencode(name)
        return self.examiner.examine_file(name, os.fsencode(self.root))

    def assert_found(self, examined, reason, detail):
        self.assertEqual([f.reason for f in examined.findings], [reason])
        self.assertIn(detail, examined.findings[0].detail)
        self.assertEqual(examined.entry.findings, (reason,))

    @parameterized.named_parameters(*BAD)
    def test_bad_files_are_told_by_their_reason(
        self, name, contents, reason, detail
    ):
        examined = self.examine(name, contents)
        self.assert_found(examined, reason, detail)
        self.assertTrue(examined.is_bad)
        self.assertEqual(examined.entry.verdict, "bad")
        self.assertIsNone(examined.entry.fingerprint)

    @parameterized.named_parameters(*BAD)
    def test_training_refuses_what_is_bad(self, name, contents, *_):
        odd_files.write(self.root, {f"one/{name}": contents})
        source = folder.FolderSource(str(self.root))
        with self.assertRaises(tf.errors.InvalidArgumentError):
            source.read(tf.constant(0, tf.int64))

    @parameterized.named_parameters(*ODD)
    def test_odd_files_are_good(self, name, contents, reason, detail):
        examined = self.examine(name, contents)
        self.assert_found(examined, reason, detail)
        self.assertFalse(examined.is_bad)
        self.assertEqual(examined.entry.verdict, "good")

    @parameterized.parameters(*PLAIN)
    def test_ordinary_files_have_no_findings(self, name, contents):
        examined = self.examine(name, contents)
        self.assertEqual(examined.findings, ())
        self.assertEqual(examined.num_bytes, len(contents))

    def test_an_entry_holds_all_that_is_known(self):
        examined = self.examine("a.jpg", odd_files.turned())
        contents = odd_files.turned()
        fingerprint = tf.fingerprint([contents]).numpy().view("<i8").item()
        # Upright, as training sees it.
        image = folder.decoding.decode(tf.constant(contents), 3, [])
        height, width = image.shape[:2]
        self.assertEqual(
            examined.entry,
            data_manifest.Entry(
                path=b"a.jpg",
                bytes=len(contents),
                type="jpeg",
                width=width,
                height=height,
                sha256=hashlib.sha256(contents).hexdigest(),
                fingerprint=fingerprint,
                verdict="good",
                findings=("turned",),
            ),
        )

    def test_what_is_no_file_cannot_be_read_and_does_not_hang(self):
        os.mkfifo(self.root / "pipe.jpg")
        for name in (b"pipe.jpg", b"absent.jpg"):
            root = os.fsencode(self.root)
            examined = self.examiner.examine_file(name, root)
            self.assert_found(examined, "unreadable", "not a file")
            self.assertTrue(examined.is_bad)
            self.assertIsNone(examined.digest)

    def test_a_smaller_limit_makes_more_images_too_large(self):
        self.examiner = inspection.Examiner(max_pixels=56 * 40 - 1)
        self.assert_found(self.examine("a.jpg", JPEG), "too_large", "56 x 40")
        self.examiner = inspection.Examiner(max_pixels=56 * 40)
        self.assertEqual(self.examine("a.jpg", JPEG).findings, ())

    def test_every_odd_file_gets_the_verdict_of_training(self):
        items = corpus.corpus()
        self.assertGreater(len(items), 80)
        for name, item in items.items():
            with self.subTest(name):
                examined = self.examiner.examine_contents(
                    item.contents, os.fsencode(name)
                )
                self.assertEqual(examined.is_bad, item.verdict == "bad")

    def test_pixels_are_told_apart_by_shape_too(self):
        flat = np.zeros([40, 80, 1], np.uint8)
        digests = {
            self.examiner.examine_pixels(image, b"x").digest
            for image in (flat, flat.reshape(80, 40, 1), flat + 1, flat.copy())
        }
        self.assertLen(digests, 3)


if __name__ == "__main__":
    tf.test.main()
