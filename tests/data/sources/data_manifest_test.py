"""Tests for tf_simmim.data.sources.data_manifest, and folders held to one."""

import dataclasses
import json
import os
import pathlib
import tempfile

import tensorflow as tf
from absl.testing import parameterized
from hypothesis import given
from hypothesis import strategies

from tests.data.inspection import odd_files
from tf_simmim import data
from tf_simmim.data import inspection
from tf_simmim.data.sources import data_manifest

ENTRIES = [
    data_manifest.Entry(b"a/\xff\n.jpg", 12, "jpeg", 4, 3, "ab", -5, "good"),
    data_manifest.Entry(
        "b/für \U0001f600.png".encode(), 7, "html", findings=("not_an_image",)
    ),
]


class DataManifestTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = pathlib.Path(temporary.name) / "m.jsonl"

    def write(self, entries=ENTRIES):
        data_manifest.write(self.path, "folder:x", iter(entries), max_pixels=9)

    def test_entries_are_read_as_they_were_written(self):
        self.write()
        self.assertEqual(list(data_manifest.read(self.path)), ENTRIES)
        self.write([])
        self.assertEqual(list(data_manifest.read(self.path)), [])

    def test_lines_are_json_and_the_same_each_time(self):
        self.write()
        before = self.path.read_bytes()
        self.write()
        self.assertEqual(self.path.read_bytes(), before)
        header, *entries, end = map(json.loads, before.splitlines())
        self.assertEqual(header["source"], "folder:x")
        self.assertEqual(header["max_pixels"], 9)
        self.assertEqual(entries[0]["path"], "a/\udcff\n.jpg")
        self.assertEqual(entries[0]["fingerprint"], -5)
        self.assertEqual(end["files"], 2)

    def test_any_changed_byte_is_noticed(self):
        self.write()
        contents = self.path.read_bytes()
        for position in range(len(contents)):
            changed = odd_files.flipped(contents, position)
            self.path.write_bytes(changed)
            with self.assertRaisesRegex(ValueError, "m.jsonl"):
                list(data_manifest.read(self.path))

    def test_any_missing_end_is_noticed(self):
        self.write()
        contents = self.path.read_bytes()
        for size in range(len(contents) - 1):
            self.path.write_bytes(contents[:size])
            with self.assertRaisesRegex(ValueError, "m.jsonl"):
                list(data_manifest.read(self.path))

    def test_lines_that_were_added_or_removed_are_noticed(self):
        self.write()
        lines = self.path.read_bytes().splitlines(keepends=True)
        for changed in (
            [*lines, lines[1]],
            [lines[0], *lines[2:]],
            [lines[0], lines[2], lines[1], lines[3]],
        ):
            self.path.write_bytes(b"".join(changed))
            with self.assertRaisesRegex(ValueError, "is damaged: run"):
                list(data_manifest.read(self.path))

    @parameterized.parameters("path", "findings")
    def test_a_number_in_the_place_of_another_value_is_noticed(self, key):
        self.write()
        lines = self.path.read_bytes().splitlines(keepends=True)
        lines[1] = json.dumps({**json.loads(lines[1]), key: 5}).encode() + b"\n"
        self.path.write_bytes(b"".join(lines))
        with self.assertRaisesRegex(ValueError, "is damaged: run"):
            list(data_manifest.read(self.path))

    def test_a_missing_or_foreign_file_is_refused(self):
        with self.assertRaisesRegex(ValueError, "There is no manifest"):
            list(data_manifest.read(self.path))
        self.path.write_text('{"step": 3}')
        with self.assertRaisesRegex(ValueError, "not a manifest"):
            list(data_manifest.read(self.path))

    def test_an_error_on_the_way_leaves_the_old_manifest(self):
        self.write()
        before = self.path.read_bytes()

        def entries():
            yield ENTRIES[1]
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.write(entries())
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(os.listdir(self.path.parent), ["m.jsonl"])

    @given(strategies.binary())
    def test_any_path_survives_json(self, path):
        text = json.dumps(data_manifest.encode_path(path))
        self.assertTrue(text.isascii())
        self.assertEqual(data_manifest.decode_path(json.loads(text)), path)


class HeldFolderTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name) / "images"
        self.manifest = str(self.root.parent / "m.jsonl")
        self.files = {
            "train/a/0.png": odd_files.encoded("PNG", seed=0),
            "train/a/\udcff.png": odd_files.encoded("PNG", seed=1),
            "train/b/2.png": odd_files.encoded("BMP", seed=2),
            "train/b/3.png": b"not an image",
            "val/b/4.png": odd_files.encoded("BMP", seed=4),
        }
        for name, contents in self.files.items():
            odd_files.write(self.root, {os.fsencode(name): contents})

    def write_manifest(self):
        examiner = inspection.Examiner()
        items = inspection.open_items(
            f"folder:{self.root}",
            {"train": "train", "validation": "test"},
            examiner,
        )
        entries = [one.entry for one in inspection.Tally(2).examine(items)]
        data_manifest.write(self.manifest, "x", entries)
        return entries

    def open(self, split="train"):
        spec = f"folder:{self.root}"
        return data.open_source(spec, split, manifest=self.manifest)

    @parameterized.parameters(
        ("train", 3, [0, 0, 1]), ("test", 1, [1]), ("all", 3, [0, 0, 1])
    )
    def test_bad_files_are_left_out_of_every_split(self, split, count, labels):
        self.write_manifest()
        source = self.open(split)
        elements = list(source.epoch(shuffle=False))
        self.assertLen(source, count)
        self.assertEqual([int(e["label"]) for e in elements], labels)
        self.assertEqual(source.class_names, ("a", "b"))
        free = data.open_source(f"folder:{self.root}", split)
        bad = str(self.root / "train/b/3.png").encode()
        self.assertEqual([p for p in free.paths if p != bad], source.paths)

    def test_held_out_images_stay_the_same(self):
        """A bad file does not shift which images are every twentieth."""
        files = {
            f"{n:02}.bmp": odd_files.encoded("BMP", seed=n) for n in range(41)
        }
        files["07.bmp"] = b""
        self.root = self.root.parent / "flat"
        odd_files.write(self.root, files)
        self.write_manifest()
        for split, count in (("train", 38), ("test", 2), ("all", 40)):
            free = data.open_source(f"folder:{self.root}", split)
            held = self.open(split)
            self.assertLen(held, count)
            self.assertContainsSubset(held.paths, free.paths)

    @parameterized.parameters("eager", "graph")
    def test_another_file_of_the_same_size_is_noticed(self, mode):
        self.write_manifest()
        path = self.root / "train/b/2.png"
        path.write_bytes(odd_files.flipped(path.read_bytes(), -5))
        # It is an image, and opens: only its content tells.
        data.open_source(f"folder:{self.root}").read(tf.constant(2, tf.int64))
        source = self.open()
        read = source.read if mode == "eager" else tf.function(source.read)
        read(tf.constant(1, tf.int64))
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError,
            r"not the file that the manifest lists(.|\n)*train/b/2\.png",
        ):
            read(tf.constant(2, tf.int64))

    def test_a_name_that_is_not_utf8_is_named_as_well_as_can_be(self):
        self.write_manifest()
        path = self.root / "train/a/\udcff.png"
        path.write_bytes(odd_files.flipped(path.read_bytes(), -5))
        source = self.open()
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "the manifest lists"
        ):
            list(source.epoch())

    def test_all_that_differs_is_in_one_error(self):
        self.write_manifest()
        (self.root / "train/a/0.png").unlink()
        (self.root / "val/b/4.png").write_bytes(b"shorter")
        odd_files.write(self.root, {f"new/{n}.jpg": b"x" for n in range(7)})
        with self.assertRaisesRegex(
            ValueError,
            r"1 missing \('train/a/0.*; 7 new .*; 1 of another size \('val",
        ):
            self.open()

    def test_files_that_are_no_images_may_come_and_go(self):
        self.write_manifest()
        odd_files.write(self.root, {"notes.txt": b"x", ".hidden.jpg": b"x"})
        os.symlink("/no/such.jpg", self.root / "train/a/link.jpg")
        os.mkfifo(self.root / "train/a/pipe.jpg")
        self.assertLen(self.open(), 3)

    def test_a_moved_folder_is_still_the_same(self):
        self.write_manifest()
        moved = self.root.rename(self.root.parent / "elsewhere")
        source = data.open_source(f"folder:{moved}/", manifest=self.manifest)
        self.assertLen(source, 3)

    def test_a_split_without_a_good_file_is_refused(self):
        entries = [
            dataclasses.replace(entry, verdict="bad")
            for entry in self.write_manifest()
        ]
        data_manifest.write(self.manifest, "x", entries)
        for split in ("train", "test"):
            with self.assertRaisesRegex(
                ValueError,
                f"split '{split}' of folder:.* at least one.* {self.manifest}",
            ):
                self.open(split)

    def test_other_sources_take_no_manifest(self):
        with self.assertRaisesRegex(ValueError, "`manifest` is for folders"):
            data.open_source("builtin:digits", manifest=self.manifest)


if __name__ == "__main__":
    tf.test.main()
