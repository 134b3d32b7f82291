"""Tests for tf_simmim.data.inspection.folder_survey."""

import os
import pathlib
import tempfile

import tensorflow as tf

from tests.data.inspection import odd_files
from tf_simmim.data import inspection

JPEG = odd_files.encoded()
SPLITS = {"train": "train", "validation": "test"}


class FolderSurveyTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def survey(self, *names, splits=SPLITS, path=None):
        odd_files.write(self.root, {name: JPEG for name in names})
        return inspection.FolderSurvey(path or str(self.root), splits)

    def found(self, survey):
        start = len(os.fsencode(self.root)) + 1
        return [
            (found.reason, os.fsdecode(found.path[start:]), found.detail)
            for found in survey.findings
        ]

    def test_files_have_the_sides_that_training_gives_them(self):
        for path in (None, f"{self.root}/"):
            survey = self.survey(
                "train/a/0.jpg", "train/b/1.jpg", "val/a/2.jpg", path=path
            )
            self.assertEqual(
                survey.sides,
                {
                    b"train/a/0.jpg": "train",
                    b"train/b/1.jpg": "train",
                    b"val/a/2.jpg": "validation",
                },
            )
            self.assertEqual(survey.files, list(survey.sides))

    def test_a_folder_without_splits_holds_its_last_file_out(self):
        survey = self.survey("0.jpg", "1.jpg", "2.jpg")
        self.assertEqual(
            list(survey.sides.values()), ["train", "train", "validation"]
        )
        self.assertEqual(survey.findings, [])

    def test_all_is_for_one_side(self):
        survey = self.survey("0.jpg", "1.jpg", splits={"train": "all"})
        self.assertEqual(set(survey.sides.values()), {"train"})

    def test_a_single_image_is_for_training(self):
        self.assertEqual(self.survey("0.jpg").sides, {b"0.jpg": "train"})

    def test_what_is_left_out_is_named(self):
        os.mkdir(self.root / "more")
        os.symlink(self.root, self.root / "more" / "loop")
        odd_files.write(self.root, {"a.TXT": b"x", "more/README": b"x"})
        survey = self.survey("0.jpg", "1.jpg", "._0.jpg", ".git/x.jpg")
        self.assertEqual(survey.files, [b"0.jpg", b"1.jpg"])
        self.assertCountEqual(
            self.found(survey),
            [
                ("hidden", ".git", ""),
                ("hidden", "._0.jpg", ""),
                ("other_suffix", "a.TXT", ".txt"),
                ("linked_folder", "more/loop", ""),
                ("other_suffix", "more/README", "no ending"),
            ],
        )

    def test_names_that_lead_to_no_file_are_named(self):
        os.symlink("/no/such\n.jpg", self.root / "link.jpg")
        os.symlink("/no/such.txt", self.root / "link.txt")
        os.mkfifo(self.root / "pipe.JPG")
        survey = self.survey("0.jpg", "1.jpg")
        self.assertEqual(survey.files, [b"0.jpg", b"1.jpg"])
        self.assertEqual(
            self.found(survey),
            [
                ("dangling_link", "link.jpg", r"to /no/such\x0a.jpg"),
                ("other_suffix", "link.txt", ".txt"),
                ("no_file", "pipe.JPG", ""),
            ],
        )

    def test_small_classes_are_named(self):
        os.makedirs(self.root / "train" / "none")
        survey = self.survey(
            "train/one/0.jpg",
            "train/two/1.jpg",
            "train/two/2.jpg",
            "test/two/3.jpg",
        )
        self.assertEqual(
            self.found(survey),
            [
                ("empty_class", "train/none", ""),
                ("class_of_one", "train/one", ""),
                ("not_in_validation", "train/one", ""),
            ],
        )

    def test_files_beside_the_splits_are_named(self):
        survey = self.survey("train/0.jpg", "val/1.jpg", "other/2.jpg")
        self.assertEqual(
            self.found(survey), [("in_no_split", "other/2.jpg", "")]
        )
        self.assertNotIn(b"other/2.jpg", survey.sides)
        self.assertIn(b"other/2.jpg", survey.files)

    def test_splits_in_capitals_have_sides_and_what_is_unused_is_named(self):
        survey = self.survey(
            "TRAIN/a/0.jpg",
            "TRAIN/a/1.jpg",
            "TRAIN/b/2.jpg",
            "TRAIN/b/3.jpg",
            "VALIDATION/a/4.jpg",
            "VALIDATION/b/5.jpg",
            "Test/6.jpg",
            "Test/7.jpg",
            splits={"train": "train", "validation": "validation"},
        )
        self.assertEqual(
            {
                file: side
                for file, side in survey.sides.items()
                if b"VAL" in file
            },
            {
                b"VALIDATION/a/4.jpg": "validation",
                b"VALIDATION/b/5.jpg": "validation",
            },
        )
        self.assertLen(survey.sides, 6)
        self.assertEqual(
            self.found(survey), [("unused_split", "Test", "2 images")]
        )
        self.assertLen(survey.files, 8)

    def test_odd_classes_are_named(self):
        survey = self.survey(
            "train/a/0.jpg",
            "train/a/val/1.jpg",
            "test/b/2.jpg",
        )
        self.assertEqual(
            self.found(survey),
            [
                ("split_in_class", "train/a/val", ""),
                ("only_class", "train/a", ""),
                ("not_in_train", "test/b", ""),
            ],
        )

    def test_links_to_folders_that_are_gone_are_named(self):
        for name in ("train/cow", "val"):
            (self.root / name).parent.mkdir(exist_ok=True)
            os.symlink("/gone/it", self.root / name)
        survey = self.survey("train/a/0.jpg", "train/a/1.jpg", "train/b/2.jpg")
        self.assertContainsSubset(
            [
                ("dangling_link", "train/cow", "to /gone/it"),
                ("dangling_link", "val", "to /gone/it"),
            ],
            self.found(survey),
        )

    def test_images_that_take_the_labels_away_are_named(self):
        survey = self.survey("a/0.jpg", "a/1.jpg", "b/2.jpg", "sheet.jpg")
        self.assertEqual(self.found(survey), [("no_class", "sheet.jpg", "")])

    def test_a_validation_split_without_labels_is_named(self):
        names = [f"train/{c}/{n}.jpg" for c in "ab" for n in range(2)]
        survey = self.survey(*names, "val/4.jpg", "val/5.jpg")
        self.assertEqual(
            self.found(survey), [("no_labels_in_validation", "val", "2 images")]
        )

    def test_linked_classes_are_examined_in_every_split_that_has_them(self):
        odd_files.write(self.root, {"pool/a/0.jpg": JPEG, "pool/b/1.jpg": JPEG})
        for split in ("train", "val"):
            os.mkdir(self.root / split)
            os.symlink(self.root / "pool/a", self.root / split / "a")
        survey = self.survey("train/b/2.jpg")
        self.assertEqual(
            survey.sides,
            {
                b"train/a/0.jpg": "train",
                b"train/b/2.jpg": "train",
                b"val/a/0.jpg": "validation",
            },
        )
        self.assertContainsSubset(survey.sides, survey.files)

    def test_unclear_splits_are_refused(self):
        with self.assertRaisesRegex(ValueError, "Which images to train on"):
            self.survey("test/0.jpg", "val/1.jpg")
        (self.root / "test").rename(self.root / "seg_train")
        with self.assertRaisesRegex(ValueError, "which folders are splits"):
            self.survey("seg_train/0.jpg")

    def test_a_file_is_said_to_be_one(self):
        odd_files.write(self.root, {"pets.zip": b"x"})
        with self.assertRaisesRegex(ValueError, "is a file: .*unpacked"):
            self.survey(path=f"{self.root}/pets.zip")

    def test_a_missing_folder_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no folder"):
            inspection.FolderSurvey(f"{self.root}/nowhere", SPLITS)


if __name__ == "__main__":
    tf.test.main()
