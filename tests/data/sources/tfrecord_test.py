"""Tests for tf_simmim.data.sources.tfrecord and record_files."""

import os
import pathlib
import struct
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from tests import slow_cases
from tf_simmim.data import centre_crop
from tf_simmim.data import errors
from tf_simmim.data import normalization
from tf_simmim.data import stream
from tf_simmim.data.sources import record_files
from tf_simmim.data.sources import tfrecord

SHARD_SIZES = (9, 1, 14, 21)  # 45 records, of which 19 and 39 are held out


def _pixels(number):
    return np.full([4 + number % 3, 6, 3], number, np.uint8)


def _example(contents, label=None, key="image/encoded"):
    features = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[contents]))
    }
    if label is not None:
        features["image/class/label"] = tf.train.Feature(
            int64_list=tf.train.Int64List(value=[label])
        )
    features = tf.train.Features(feature=features)
    return tf.train.Example(features=features).SerializeToString()


def _write(path, examples):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example)


def _positions(path):
    """Returns where each record of a file begins."""
    contents, positions, position = path.read_bytes(), [], 0
    while position < len(contents):
        positions.append(position)
        (length,) = struct.unpack_from("<Q", contents, position)
        position += length + 16
    return positions


class TFRecordSourceTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        self.pattern = str(self.root / "data-*")

    def write_shards(self, labelled=True):
        number = 0
        for shard, size in enumerate(SHARD_SIZES):
            examples = []
            for _ in range(size):
                contents = tf.io.encode_png(_pixels(number)).numpy()
                label = number + 100 if labelled else None
                examples.append(_example(contents, label))
                number += 1
            _write(self.root / f"data-{shard:02d}", examples)

    def numbers(self, source, **kwargs):
        """Returns [(index, number of the image)]."""
        return [
            (int(element["index"]), int(element["image"][0, 0, 0]))
            for element in source.epoch(**kwargs)
        ]

    @pytest.mark.slow
    def test_both_splits_hold_every_image_once(self):
        self.write_shards()
        train = tfrecord.TFRecordSource(self.pattern)
        test = tfrecord.TFRecordSource(self.pattern, "test")
        self.assertLen(train, 43)
        self.assertLen(test, 2)
        in_train = [number for number in range(45) if number not in (19, 39)]
        self.assertEqual(
            self.numbers(train, shuffle=False), list(enumerate(in_train))
        )
        self.assertEqual(self.numbers(test, shuffle=False), [(0, 19), (1, 39)])
        for epoch in range(3):
            got = self.numbers(train, seed=1, epoch=epoch)
            self.assertCountEqual(got, enumerate(in_train))

    def test_all_is_every_record(self):
        self.write_shards()
        source = tfrecord.TFRecordSource(self.pattern, "all")
        self.assertLen(source, 45)
        want = [(number, number) for number in range(45)]
        self.assertEqual(self.numbers(source, shuffle=False), want)
        self.assertCountEqual(self.numbers(source, seed=1), want)

    @pytest.mark.slow
    def test_every_epoch_has_its_own_order_and_keeps_it(self):
        self.write_shards()
        source = tfrecord.TFRecordSource(self.pattern)
        first = self.numbers(source, seed=1, epoch=0)
        self.assertEqual(self.numbers(source, seed=1, epoch=0), first)
        self.assertNotEqual(self.numbers(source, seed=1, epoch=1), first)
        self.assertNotEqual(self.numbers(source, seed=2, epoch=0), first)
        self.assertNotEqual(first, sorted(first))

    @pytest.mark.slow
    def test_a_stream_is_entered_anywhere(self):
        self.write_shards()
        source = tfrecord.TFRecordSource(self.pattern)
        images = stream.ImageStream(
            source,
            centre_crop.ResizeAndCentreCrop((4, 6)),
            normalization.Normalization((0, 0, 0), [1 / 255] * 3),
        )
        whole = list(images.batches(8).take(11))  # two epochs of 43
        for step in (1, 5, 6, 10):
            resumed = list(images.batches(8, 8 * step).take(11 - step))
            for batch, want in zip(resumed, whole[step:], strict=True):
                for key in ("image", "index", "label"):
                    self.assertAllEqual(batch[key], want[key])

    def test_labels_are_read_as_they_are(self):
        self.write_shards()
        for element in tfrecord.TFRecordSource(self.pattern).epoch():
            number = int(element["image"][0, 0, 0])
            self.assertEqual(element["label"], number + 100)
            self.assertAllEqual(element["image"], _pixels(number))

    def test_labels_are_optional_and_grey_is_possible(self):
        self.write_shards(labelled=False)
        source = tfrecord.TFRecordSource(self.pattern, channels=1)
        for element in source.epoch():
            self.assertNotIn("label", element)
            self.assertEqual(element["image"].shape[1:], [6, 1])

    @parameterized.parameters(1, 5, 11, 12, 13, 100)
    def test_a_cut_off_file_is_named(self, num_missing):
        self.write_shards()
        path = self.root / "data-02"
        os.truncate(path, path.stat().st_size - num_missing)
        with self.assertRaisesRegex(ValueError, "data-02 is cut off.*record"):
            tfrecord.TFRecordSource(self.pattern)

    def test_another_kind_of_file_is_named(self):
        (self.root / "data-00").write_bytes(b"this is a text, not records")
        with self.assertRaisesRegex(ValueError, "data-00 .*uncompressed TFRec"):
            tfrecord.TFRecordSource(self.pattern)

    def test_records_lost_after_the_start_are_an_error(self):
        self.write_shards()
        source = tfrecord.TFRecordSource(self.pattern)
        _write(self.root / "data-01", [])
        with self.assertRaisesRegex(
            tf.errors.FailedPreconditionError, "to con"
        ):
            list(source.epoch())

    def stream_error(self, harm):
        """Returns what ends a stream whose third file is harmed."""
        self.write_shards()
        source = tfrecord.TFRecordSource(self.pattern)
        images = stream.ImageStream(
            source,
            centre_crop.ResizeAndCentreCrop((4, 6)),
            normalization.Normalization(),
        )
        harm(self.root / "data-02")
        with self.assertRaises(tf.errors.OpError):
            for _ in images.batches(8).take(11):
                pass
        self.assertIsNotNone(images.error)
        return str(images.error)

    @slow_cases.slow_cases(
        "checksum_of_contents", "checksum_of_length", "length"
    )
    @parameterized.named_parameters(
        ("length", 4, 0),
        ("checksum_of_length", 4, 9),
        ("contents", 4, 30),
        ("checksum_of_contents", 5, -1),
    )
    def test_one_changed_bit_is_found_with_file_and_record(self, record, byte):
        def harm(path):
            contents = bytearray(path.read_bytes())
            contents[_positions(path)[record] + byte] ^= 1
            path.write_bytes(contents)

        error = self.stream_error(harm)
        self.assertIn(f"{self.root}/data-02: record 4, at byte ", error)
        self.assertIn("was changed", error)
        self.assertNotIn("data-01", error)

    @slow_cases.slow_cases("between_records")
    @parameterized.named_parameters(
        ("inside_a_record", -3, "data-02: record 4, at byte .* is cut off"),
        ("between_records", 0, "data-02 has 5 records of 14"),
    )
    def test_a_cut_after_the_start_is_found(self, byte, message):
        error = self.stream_error(
            lambda path: os.truncate(path, _positions(path)[5] + byte)
        )
        self.assertRegex(error, message)

    @slow_cases.slow_cases("exchanged", "removed")
    @parameterized.named_parameters(
        ("emptied", lambda path: os.truncate(path, 0), " has 0 records of 14"),
        ("removed", lambda path: path.unlink(), " is gone"),
        (
            "exchanged",
            lambda path: path.with_name("data-01").rename(path),
            " is gone.*data-02 has 1 records of 14",
        ),
    )
    def test_a_lost_file_is_found(self, harm, message):
        self.assertRegex(self.stream_error(harm), f"/data-0.{message}")

    def test_a_bad_image_in_a_stream_is_an_error_with_file_and_record(self):
        def harm(path):
            png = tf.io.encode_png(_pixels(0)).numpy()
            examples = [_example(png, 1) for _ in range(14)]
            examples[6] = _example(png[:40], 1)
            _write(path, examples)

        error = self.stream_error(harm)
        self.assertRegex(error, "record 6 of .*data-02 .*PNG")
        self.assertIn("an image in record files cannot be replaced", error)

    def test_damage_in_the_first_record_is_named_at_the_start(self):
        self.write_shards()
        path = self.root / "data-00"
        contents = bytearray(path.read_bytes())
        contents[30] ^= 1
        path.write_bytes(contents)
        with self.assertRaisesRegex(
            errors.DamagedRecordsError,
            "data-00: record 0, at byte 0, was changed",
        ):
            tfrecord.TFRecordSource(self.pattern)

    @pytest.mark.slow
    def test_images_are_described_by_file_and_record(self):
        self.write_shards()
        for split in ("train", "test", "all"):
            source = tfrecord.TFRecordSource(self.pattern, split)
            for index, number in self.numbers(source, shuffle=False):
                shard = np.searchsorted(np.cumsum(SHARD_SIZES), number, "right")
                record = number - sum(SHARD_SIZES[:shard])
                self.assertEqual(
                    source.describe(index),
                    f"record {record} of {self.root}/data-{shard:02d}",
                )

    def test_records_are_counted_without_reading_them(self):
        self.write_shards()
        _write(self.root / "empty", [])
        paths = sorted(str(path) for path in self.root.iterdir())
        self.assertEqual(record_files.count_records(paths), [*SHARD_SIZES, 0])

    def test_a_record_that_is_no_image_is_named(self):
        _write(
            self.root / "data-00",
            [
                _example(tf.io.encode_png(_pixels(0)).numpy()),
                _example(b"<html>"),
                _example(tf.io.encode_png(_pixels(2)).numpy()),
            ],
        )
        source = tfrecord.TFRecordSource(self.pattern)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError,
            r"(?s)not a JPEG.*data-00.*train image.*1",
        ):
            list(source.epoch())

    def test_examples_without_the_image_feature_are_refused(self):
        _write(self.root / "data-00", [_example(b"", key="picture")])
        with self.assertRaisesRegex(ValueError, r"`image/encoded`.*picture"):
            tfrecord.TFRecordSource(self.pattern)

    def test_a_pattern_that_matches_nothing_is_named(self):
        with self.assertRaisesRegex(ValueError, "no file matches"):
            tfrecord.TFRecordSource(self.pattern)

    def test_files_without_records_are_refused(self):
        _write(self.root / "data-00", [])
        with self.assertRaisesRegex(ValueError, "at least one image"):
            tfrecord.TFRecordSource(self.pattern)

    def test_a_single_record_trains_and_cannot_be_split(self):
        _write(
            self.root / "data-00",
            [_example(tf.io.encode_png(_pixels(3)).numpy())],
        )
        source = tfrecord.TFRecordSource(self.pattern)
        self.assertEqual(self.numbers(source), [(0, 3)])
        with self.assertRaisesRegex(ValueError, "at least one image"):
            tfrecord.TFRecordSource(self.pattern, "test")


if __name__ == "__main__":
    tf.test.main()
