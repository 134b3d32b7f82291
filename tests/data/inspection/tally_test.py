"""Tests for tf_simmim.data.inspection: sources, counts, duplicates, report."""

import os
import pathlib
import tempfile
import threading
import time

import tensorflow as tf
from absl.testing import parameterized

from tests.data.inspection import odd_files
from tf_simmim.data import inspection
from tf_simmim.data.inspection import duplicates
from tf_simmim.data.inspection import finding
from tf_simmim.data.inspection import in_order

SPLITS = {"train": "train", "validation": "test"}


def example(contents, name="image/encoded"):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[contents]))
    features = tf.train.Features(feature={name: feature})
    return tf.train.Example(features=features).SerializeToString()


class TallyTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def write_shard(self, name, records):
        with tf.io.TFRecordWriter(str(self.root / name)) as writer:
            for record in records:
                writer.write(record)

    def tally(self, spec, splits=SPLITS, num_workers=3):
        tally = inspection.Tally(num_workers)
        items = inspection.open_items(spec, splits, inspection.Examiner())
        examined = list(tally.examine(items))
        tally.finish()
        return tally, examined

    def test_a_folder_is_examined_in_order(self):
        files = {
            f"{i:02}.png": odd_files.encoded("PNG", seed=i) for i in range(9)
        }
        odd_files.write(self.root, files)
        tally, examined = self.tally(f"folder:{self.root}")
        self.assertEqual(
            [one.entry.path.decode() for one in examined], sorted(files)
        )
        self.assertEqual(tally.num_images, 9)
        self.assertEqual(tally.num_bytes, sum(map(len, files.values())))
        self.assertEqual(tally.num_of_side, {"train": 8, "validation": 1})
        self.assertTrue(tally.report.is_clean)

    def test_images_with_masks_are_examined_as_files_and_with_their_masks(
        self,
    ):
        png = odd_files.encoded("PNG", mode="L", size=(40, 56))
        files = {f"images/{n}.png": png for n in range(2)}
        files |= {f"masks/{n}.png": png for n in range(2)}
        files["images/0.png"] = odd_files.png_16_bit(1)
        odd_files.write(self.root, {**files, "classes.txt": b"sky\ntree\n"})
        tally, examined = self.tally(f"segmentation:{self.root}")
        found = [[f.reason for f in one.findings] for one in examined]
        # Grey values of a photograph are no classes.
        self.assertEqual(found, [["16_bit_part", "damaged"], ["damaged"]])
        self.assertEqual(
            examined[0].path, os.fsencode(self.root / "images/0.png")
        )
        self.assertEqual(tally.num_of_side, {"train": 1, "validation": 1})

    def test_records_are_examined_and_named(self):
        good = [example(odd_files.encoded(seed=i)) for i in range(5)]
        bad = [
            example(b"<html>"),
            example(b"", "other"),
            b"\xff\xff no example",
            example(odd_files.encoded("GIF")),
        ]
        self.write_shard("a-0", good[:3] + bad)
        self.write_shard("a-1", good[3:])
        tally, examined = self.tally(f"tfrecord:{self.root}/a-*")
        self.assertLen(examined, 9)
        found = [
            (f.reason, f.path.decode().removeprefix(f"{self.root}/"))
            for one in examined
            for f in one.findings
        ]
        self.assertEqual(
            found,
            [
                ("not_an_image", "a-0: record 3"),
                ("no_image_feature", "a-0: record 4"),
                ("no_image_feature", "a-0: record 5"),
            ],
        )
        self.assertEqual(tally.report.num_bad, 3)

    def test_every_twentieth_record_is_for_validation(self):
        records = [example(odd_files.encoded(seed=i)) for i in range(41)]
        self.write_shard("a", records)
        tally, _ = self.tally(f"tfrecord:{self.root}/a")
        self.assertEqual(tally.num_of_side, {"train": 39, "validation": 2})

    @parameterized.parameters("flipped", "cut")
    def test_a_damaged_shard_is_named_and_the_others_are_read(self, damage):
        records = [example(odd_files.encoded(seed=i)) for i in range(4)]
        size = len(records[0]) + 16
        self.write_shard("a-0", records)
        self.write_shard("a-1", [example(odd_files.encoded(seed=9))])
        path = self.root / "a-0"
        contents = path.read_bytes()
        contents = (
            odd_files.flipped(contents, 2 * size + 50)
            if damage == "flipped"
            else contents[: 2 * size + 50]
        )
        path.write_bytes(contents)
        tally, examined = self.tally(f"tfrecord:{self.root}/a-*")
        (found,) = [f for one in examined for f in one.findings]
        self.assertEqual(found.reason, "damaged_shard")
        self.assertEqual(found.path, f"{path}: record 2".encode())
        what = {"flipped": "was changed", "cut": "is cut off"}[damage]
        self.assertEqual(found.detail, f"at byte {2 * size}, {what}")
        self.assertLen(examined, 4)  # two before it, itself, the other file's
        self.assertEqual(tally.report.num_bad, 1)

    def test_a_pattern_without_files_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no file matches"):
            self.tally(f"tfrecord:{self.root}/none-*")

    def test_other_sources_are_examined_as_they_decode(self):
        tally, examined = self.tally("builtin:digits")
        self.assertEqual(tally.num_of_side, {"train": 1437, "validation": 360})
        self.assertLen(examined, 1797)
        self.assertEqual(
            examined[1437].path, b"builtin:digits, validation image 0"
        )
        self.assertEqual(tally.report.num_bad, 0)

    def test_duplicates_are_told_by_side(self):
        collected = duplicates.Duplicates()
        for digest, path, side in (
            (b"1", b"a", "train"),
            (b"2", b"b", "train"),
            (b"1", b"c", "train"),
            (b"1", b"d", "validation"),
            (b"3", b"e", None),
            (b"4", b"f", "validation"),
            (b"4", b"g", "validation"),
            (b"2", b"h", None),
        ):
            collected.add(digest, path, side)
        self.assertCountEqual(
            collected.findings(),
            [
                finding.Finding("duplicate", b"c", "= a"),
                finding.Finding("in_train_and_validation", b"d", "= a"),
                finding.Finding("duplicate", b"g", "= f"),
            ],
        )

    def test_bad_files_are_no_duplicates(self):
        odd_files.write(self.root, {"a.jpg": b"", "b.jpg": b"", "c.jpg": b""})
        tally, _ = self.tally(f"folder:{self.root}")
        self.assertEqual(
            (tally.report.num_bad, tally.report.num_shared), (3, 0)
        )

    def test_results_keep_their_order_and_few_items_are_taken_ahead(self):
        taken, main = [], threading.get_ident()

        def items():
            for number in range(1000):
                taken.append(number)
                yield number

        def work(number):
            self.assertNotEqual(threading.get_ident(), main)
            time.sleep(0.01 * (number == 0))
            return -number

        results = in_order.map_in_order(work, items(), 2)
        self.assertEqual(next(results), 0)
        self.assertLess(len(taken), 50)
        self.assertEqual(list(results), [-n for n in range(1, 1000)])

    def test_a_report_counts_first_and_then_names(self):
        report = inspection.Report()
        for name, reason, detail in (
            (b"a.jpg", "empty", ""),
            (b"long name.jpg", "cmyk", ""),
            (b"c\xff\n.png", "alpha", "x"),
            (b"d.png", "alpha", "y"),
            (b"e.png", "alpha", "z"),
            (b"f.txt", "other_suffix", ".txt"),
            (b"g.db", "other_suffix", ".db"),
            (b"h.txt", "other_suffix", ".txt"),
        ):
            report.add(finding.Finding(reason, name, detail))
        self.assertEqual(
            report.text(show=2),
            """\
BAD: In a folder, training replaces a few, then stops; in record files, it
stops at the first.
       1  empty file

ODD: Training takes these; have a look at them.
       1  CMYK, turned into RGB
       3  transparency, laid on white

LEFT OUT: Training never sees these.
       3  name without the ending of an image (.txt 2, .db 1)

empty file (1)
    a.jpg

CMYK, turned into RGB (1)
    long name.jpg

transparency, laid on white (3)
    c\\xff\\x0a.png  x
    d.png          y
    and 1 more

name without the ending of an image (3)
    f.txt  .txt
    g.db   .db
    and 1 more""",
        )
        self.assertIn("e.png", report.text())
        self.assertNotIn("a.jpg", report.text(show=0))
        self.assertEqual(report.verdict(), "Not clean: 1 bad image.")

    def test_odd_images_leave_a_source_clean(self):
        report = inspection.Report()
        report.add(finding.Finding("alpha", b"a.png"))
        self.assertTrue(report.is_clean)
        self.assertStartsWith(report.verdict(), "Clean:")
        report.add(finding.Finding("in_train_and_validation", b"b.png"))
        self.assertFalse(report.is_clean)
        self.assertEqual(
            report.verdict(), "Not clean: 1 image in both train and validation."
        )

    def test_a_manifest_lies_here_or_beside_the_folder(
        self,
    ):
        folder = self.root / "pets"
        folder.mkdir()
        root = str(folder).encode()
        before = pathlib.Path.cwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.root)
        path = inspection.manifest_path(root)
        self.assertEqual(str(path), "pets.manifest.jsonl")
        os.chdir(folder)
        path = inspection.manifest_path(root)
        self.assertEqual(path, self.root.resolve() / "pets.manifest.jsonl")

    def test_another_file_is_not_replaced_by_a_manifest(self):
        photo = self.root / "photo.jpg"
        photo.write_bytes(odd_files.encoded())
        for given in (photo, self.root, self.root / "none" / "m.jsonl"):
            with self.assertRaisesRegex(ValueError, "`manifest` must be"):
                inspection.manifest_path(b"/", str(given))

    def test_every_reason_has_a_grade_and_a_title(self):
        titles = [title for _, title in finding.REASONS.values()]
        self.assertLen(set(titles), len(finding.REASONS))
        grades = {grade for grade, _ in finding.REASONS.values()}
        self.assertEqual(grades, {"bad", "shared", "odd", "left out"})


if __name__ == "__main__":
    tf.test.main()
