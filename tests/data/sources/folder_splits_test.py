"""Tests for the splits of folders: which images are trained on."""

import tensorflow as tf
from absl.testing import parameterized

from tests.data.sources.image_folder import ImageFolderTestCase
from tf_simmim.data.sources import folder
from tf_simmim.data.sources import holdout


class FolderSplitsTest(ImageFolderTestCase, parameterized.TestCase):
    def write_all(self, *names):
        """Writes empty files: they are listed, and not decoded here."""
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")

    def open(self, split="train", **options):
        return folder.FolderSource(str(self.root), split, **options)

    def logged(self, split):
        with self.assertLogs("absl", "INFO") as logs:
            self.open(split)
        return "\n".join(logs.output)

    @parameterized.parameters(
        ("TRAIN", "VALIDATION"),
        ("Training", "valid"),
        ("training_set", "test_set"),
        ("train2017", "Val2017"),
        ("train", "dev"),
        ("trainval", "Eval"),
        ("Train", "hold-out"),
        ("TRAIN", "Testing"),
    )
    def test_splits_have_their_usual_names_in_any_case(self, train, held_out):
        self.write_all(f"{train}/cat/a.png", f"{held_out}/cat/b.png")
        self.assertEqual(self.names(self.open()), [f"{train}/cat/a.png"])
        for split in ("validation", "test"):
            source = self.open(split)
            self.assertEqual(self.names(source), [f"{held_out}/cat/b.png"])
            self.assertEqual(source.class_names, ("cat",))

    def test_validation_is_val_and_test_only_where_it_is_asked_for(self):
        # As people have it: `test` comes without labels.
        self.write_all("train/cat/a.png", "val/cat/b.png", "test/c.png")
        self.assertEqual(self.names(self.open("validation")), ["val/cat/b.png"])
        self.assertEqual(self.open("validation").class_names, ("cat",))
        self.assertEqual(self.names(self.open("test")), ["test/c.png"])
        old = self.open("validation", rules=1)
        self.assertEqual(self.names(old), ["test/c.png"])
        self.assertIn(f"not used: {self.root}/test.", self.logged("validation"))
        text = self.logged("test")
        self.assertIn(f"not used: {self.root}/val.", text)
        self.assertIn(f"{self.root}/test has no labels", text)
        self.assertIn(f"{self.root}/test, {self.root}/val", self.logged("all"))

    @parameterized.parameters(
        (("val/a.png", "test/b.png"),),
        (("Dev/cat/a.png",),),
        (("val/a.png", "b.png"),),
    )
    def test_folders_that_all_look_held_out_are_no_classes(self, names):
        self.write_all(*names)
        with self.assertRaisesRegex(ValueError, "Which images to train on"):
            self.open()
        source = self.open("all")
        self.assertNotIn("val", source.class_names or ())

    def test_two_folders_of_training_images_are_refused(self):
        self.write_all("train/a.png", "TRAINING/b.png", "val/c.png")
        with self.assertRaisesRegex(
            ValueError, f"{self.root}/train, {self.root}/TRAINING"
        ):
            self.open()

    def test_what_is_beside_train_and_not_used_is_named(self):
        self.write_all(
            "train/it/a.png", "bus/b.png", "car/c.png", "d.png", "e.png"
        )
        text = self.logged("train")
        self.assertIn(f"not used: {self.root}/bus, {self.root}/car.", text)
        self.assertIn(f"2 images in {self.root} itself", text)

    @parameterized.parameters("train", "validation", "all")
    def test_a_class_called_train_is_refused(self, split):
        self.write_all("Train/a.png", "Train/d.png", "Car/b.png", "Bus/c.png")
        with self.assertRaisesRegex(
            ValueError,
            f"{self.root}/Train is.*rename it.*{self.root}/Bus, .*/Car",
        ):
            self.open(split)

    @parameterized.parameters(
        ("seg_train", "seg_test", "seg_pred"),
        ("trainA", "testA"),
        ("train_clean", "val"),
    )
    def test_splits_by_a_part_of_their_names_are_refused(self, *names):
        self.write_all(*(f"{name}/cat/{n}.png" for name in names for n in "ab"))
        for split in ("train", "validation", "all"):
            with self.assertRaisesRegex(
                ValueError,
                f"rename them train and val, .*{self.root}/{names[0]}",
            ):
                self.open(split)
        path = str(self.root / names[0])
        self.assertEqual(folder.FolderSource(path).class_names, ("cat",))

    def test_the_way_past_an_empty_folder_is_named(self):
        self.write_all("train/cat/a.png", "test/cat/b.png", "val/notes.txt")
        with self.assertRaisesRegex(
            ValueError,
            f"{self.root}/val .*--validation_split=test, or remove {self.root}",
        ):
            self.open("validation")
        self.assertEqual(self.names(self.open("test")), ["test/cat/b.png"])

    @parameterized.parameters("", "train/")
    def test_an_image_beside_class_folders_is_named(self, start):
        names = ("cat/a.png", "dog/b.png", "dog/c.png", "sheet.png", "x.png")
        self.write_all(*(f"{start}{name}" for name in names))
        self.assertIn(
            f"no folder of a class, 2 in all: {self.root}/{start}sheet.png.",
            self.logged("train"),
        )
        path = f"{self.root}/{start}sheet.png"
        for split in ("train", "validation", "all"):
            self.assertEqual(self.open(split).loose[0], path)

    def test_most_images_in_no_folder_are_nothing_to_warn_of(self):
        self.write_all("a.png", "b.png", "old/c.png")
        with self.assertNoLogs("absl", "WARNING"):
            self.assertEqual(self.open().loose, [])

    def test_one_folder_for_training_and_validation_is_refused(self):
        self.write_all("train/a.png")
        (self.root / "val").symlink_to("train")
        with self.assertRaisesRegex(ValueError, "which are one folder"):
            self.open("validation")

    def test_what_looks_like_a_split_among_classes_is_named(self):
        self.write_all(
            "cat/a.png", "cat/b.png", "test/c.png", "cat/train/d.png"
        )
        text = self.logged("train")
        self.assertIn(f"{self.root}/test: no split to hold out", text)
        self.assertIn(f"are: {self.root}/cat/train. All images", text)

    def test_held_out_classes_without_training_images_are_named(self):
        self.write_all("train/cat/a.png", "val/cat/b.png", "val/yak/c.png")
        source = self.open("validation")
        self.assertIsNone(source.class_names)
        self.assertEqual(source.strangers, [f"{self.root}/val/yak"])
        self.assertIn(
            f"no training images of these classes: {self.root}/val/yak.",
            self.logged("validation"),
        )

    def test_images_are_held_out_class_by_class_and_counted_in_one_line(self):
        names = [f"{c}/{n}.png" for c in ("ant", "bee") for n in range(30)]
        self.write_all(*names, "cow/only.png")
        train, test = self.open(), self.open("validation")
        self.assertCountEqual(
            self.names(train) + self.names(test), [*names, "cow/only.png"]
        )
        kept, held_out = train.class_counts(), test.class_counts()
        self.assertEqual((kept + held_out).tolist(), [30, 30, 1])
        self.assertAllInRange(held_out[:2], 1, 5)
        self.assertEqual(kept[2], 1)
        self.assertIn(
            f"Held out of {self.root}, by class: {len(test)} of 61 images (ant "
            f"{held_out[0]} of 30, bee {held_out[1]} of 30, cow 0 of 1).",
            self.logged("train"),
        )
        for split, source in (("train", train), ("validation", test)):
            again = self.open(split)
            self.assertEqual(again.paths, source.paths)
            self.assertEqual(again.digest(), source.digest())

    def test_files_that_are_added_take_none_from_the_training_images(self):
        self.write_all(*(f"cat/{n:03}.png" for n in range(5)))
        self.write_all(*(f"dog/{n:03}.png" for n in range(40)))
        before = set(self.names(self.open()))
        self.write_all(*(f"cat/new {n}.png" for n in range(60)))
        self.write_all(*(f"dog/new {n}.png" for n in range(7)))
        self.assertEmpty(before - set(self.names(self.open())))

    def test_runs_of_before_keep_every_twentieth_file(self):
        self.write_all(*(f"TRAIN/{n:02}.png" for n in range(20)), "val/a.png")
        source = self.open("validation", rules=1)
        self.assertEqual(self.names(source), ["TRAIN/19.png"])
        self.assertEqual(source.class_names, ("TRAIN", "val"))


class ByClassTest(tf.test.TestCase, parameterized.TestCase):
    def test_about_one_in_twenty_is_held_out_of_every_class(self):
        names = [b"%d" % n for n in range(8000)]
        classes = [[n % 4] for n in range(8000)]
        is_held_out = holdout.by_class(names, classes)
        for label in range(4):
            self.assertBetween(sum(is_held_out[label::4]), 70, 130)

    def test_which_images_are_held_out_never_changes(self):
        """Or every run would go on with other images than it began with."""
        names = [
            b"%s/%02d" % (c, n) for c in (b"ant", b"bee") for n in range(40)
        ]
        is_held_out = holdout.by_class(names, [{name[:3]} for name in names])
        found = [n for n, held in zip(names, is_held_out, strict=True) if held]
        self.assertEqual(b" ".join(found), b"ant/04 ant/12 bee/39")

    @parameterized.parameters(2, 3, 5, 11)
    def test_every_class_keeps_an_image_and_five_give_one(self, size):
        for draw in range(40):
            names = [b"%d %d" % (draw, n) for n in range(size * 3)]
            classes = [[n // size] for n in range(size * 3)]
            is_held_out = holdout.by_class(names, classes)
            for start in range(0, size * 3, size):
                count = sum(is_held_out[start : start + size])
                self.assertBetween(count, int(size >= 5), size - 1)
            self.assertTrue(any(is_held_out))

    def test_classes_of_an_image_each_are_no_classes(self):
        names = [b"%d" % n for n in range(41)]
        is_held_out = holdout.by_class(names, [[n] for n in range(41)])
        self.assertEqual([n for n in range(41) if is_held_out[n]], [19, 39])
        self.assertFalse(holdout.by_class([b"a"], [[0]])[0])

    def test_images_of_several_classes_leave_each_an_image(self):
        for draw in range(40):
            names = [b"%d %d" % (draw, n) for n in range(6)]
            classes = [{0, 1}, {1}, {0}, set(), {0, 2}, {0}]
            is_held_out = holdout.by_class(names, classes)
            self.assertTrue(any(is_held_out))
            self.assertFalse(is_held_out[4])  # the only image of class 2
            self.assertFalse(is_held_out[0] and is_held_out[1])


if __name__ == "__main__":
    tf.test.main()
