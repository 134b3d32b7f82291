"""Tests for tf_simmim.data.inspection.image_facts."""

import re
import warnings
import zlib

import tensorflow as tf
from absl.testing import parameterized
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from tests.data.inspection import odd_files
from tf_simmim.data.inspection import image_facts

SAMPLES = {
    "jpeg": odd_files.encoded(),
    "png": odd_files.encoded("PNG"),
    "gif": odd_files.encoded("GIF"),
    "bmp": odd_files.encoded("BMP"),
}
# Bytes, so that every part of a header is changed now and then.
CHANGES = strategies.lists(
    strategies.tuples(strategies.integers(0, 400), strategies.integers(0, 255)),
    max_size=8,
)


class ImageFactsTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(*SAMPLES)
    def test_type_size_and_end_come_from_the_content(self, kind):
        contents = SAMPLES[kind]
        wanted = image_facts.ImageFacts(
            kind, odd_files.W, odd_files.H, end=len(contents)
        )
        self.assertEqual(image_facts.facts_of(contents), wanted)

    @parameterized.parameters(*SAMPLES)
    def test_bytes_after_the_end_are_not_of_the_image(self, kind):
        contents = SAMPLES[kind]
        facts = image_facts.facts_of(contents + b"\0more\n")
        self.assertEqual(facts.end, len(contents))

    @parameterized.parameters(*SAMPLES)
    def test_a_file_that_is_cut_has_no_end(self, kind):
        contents = SAMPLES[kind]
        for size in (20, len(contents) // 2, len(contents) - 1):
            facts = image_facts.facts_of(contents[:size])
            self.assertIsNone(facts.end)
            self.assertEqual(facts.type, kind)

    def test_a_thumbnail_does_not_end_a_jpeg(self):
        contents = odd_files.encoded(exif=b"Exif\0\0" + odd_files.encoded())
        facts = image_facts.facts_of(contents[:-2])
        self.assertIsNone(facts.end)
        facts = image_facts.facts_of(contents)
        self.assertLen(contents, facts.end)

    @parameterized.parameters(
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (b"\0\0\0\x20ftypavif", "avif"),
        (b"\0\0\0\x20ftypheic", "heic"),
        (b"II*\0\x08\0\0\0", "tiff"),
        (b"  <!DOCTYPE html>", "html"),
        (bytes(64), "zeros"),
        (b"no image", "unknown"),
        (b"", "unknown"),
    )
    def test_other_files_are_named(self, contents, kind):
        self.assertEqual(
            image_facts.facts_of(contents), image_facts.ImageFacts(kind)
        )

    @parameterized.parameters(
        (odd_files.encoded(mode="CMYK"), "is_cmyk"),
        (odd_files.png_16_bit(), "is_16_bit"),
        (odd_files.encoded("PNG", "RGBA"), "has_alpha"),
        (odd_files.encoded("PNG", "LA"), "has_alpha"),
        (odd_files.encoded("PNG", "P", transparency=0), "has_alpha"),
        (odd_files.encoded("GIF", transparency=3), "has_alpha"),
        (odd_files.animated("GIF"), "is_animated"),
        (odd_files.animated("PNG"), "is_animated"),
    )
    def test_what_is_odd_is_noticed(self, contents, attribute):
        facts = image_facts.facts_of(contents)
        self.assertTrue(getattr(facts, attribute))
        for other in ("is_cmyk", "is_16_bit", "has_alpha", "is_animated"):
            self.assertEqual(getattr(facts, other), other == attribute)

    @parameterized.parameters(1, 3, 6, 8)
    def test_the_orientation_is_read(self, orientation):
        facts = image_facts.facts_of(odd_files.turned(orientation))
        self.assertEqual(facts.orientation, orientation)

    def test_the_orientation_of_a_png_does_not_count(self):
        facts = image_facts.facts_of(odd_files.turned(6, "PNG"))
        self.assertEqual(facts.orientation, 1)

    @parameterized.parameters((1, 0), (0, 1), (1, 1), (0, 0))
    def test_a_gif_is_as_transparent_as_its_first_frame(self, first, second):
        contents = bytearray(odd_files.animated("GIF", duration=40))
        marks = [
            match.start() for match in re.finditer(rb"!\xf9\x04", contents)
        ]
        self.assertLen(marks, 2)
        for mark, flag in zip(marks, (first, second), strict=True):
            contents[mark + 3] = contents[mark + 3] & ~1 | flag
        facts = image_facts.facts_of(bytes(contents))
        self.assertEqual(facts.has_alpha, bool(first))

    def test_of_two_blocks_about_a_frame_the_last_counts(self):
        contents = odd_files.encoded("GIF", transparency=3)
        position = contents.index(b"!\xf9\x04")
        more = b"!\xf9\x04" + bytes(5)
        changed = contents[: position + 8] + more + contents[position + 8 :]
        self.assertTrue(image_facts.facts_of(contents).has_alpha)
        self.assertFalse(image_facts.facts_of(changed).has_alpha)

    def test_an_impossible_orientation_counts_as_upright(self):
        facts = image_facts.facts_of(odd_files.turned(99))
        self.assertEqual(facts.orientation, 1)

    def test_a_size_that_pillow_would_refuse_is_told_without_a_warning(self):
        contents = bytearray(SAMPLES["png"])
        contents[16:24] = (60000).to_bytes(4, "big") * 2
        # Pillow checks the header's checksum.
        contents[29:33] = zlib.crc32(contents[12:29]).to_bytes(4, "big")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            facts = image_facts.facts_of(bytes(contents))
            small = bytearray(SAMPLES["gif"])
            small[6:10] = b"\xff" * 4
            gif_facts = image_facts.facts_of(bytes(small))
        self.assertEqual((facts.width, facts.height), (60000, 60000))
        self.assertEqual((gif_facts.width, gif_facts.height), (65535, 65535))

    @settings(max_examples=300, deadline=None)
    @given(strategies.sampled_from(list(SAMPLES)), CHANGES)
    def test_no_damage_of_a_header_raises(self, kind, changes):
        contents = bytearray(SAMPLES[kind])
        for position, value in changes:
            contents[position % len(contents)] = value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image_facts.facts_of(bytes(contents))


if __name__ == "__main__":
    tf.test.main()
