"""Tests for tf_simmim.data.sources.folder and its decoding."""

import os
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tests.data.sources.image_folder import ImageFolderTestCase
from tests.data.sources.image_folder import pixels
from tf_simmim import data
from tf_simmim.data.sources import folder


class FolderSourceTest(ImageFolderTestCase, parameterized.TestCase):
    def test_a_dozen_images_leave_one_for_the_test_split(self):
        for number in range(12):
            self.write(f"{number:02d}.png", number)
        train = folder.FolderSource(str(self.root))
        test = folder.FolderSource(str(self.root), "test")
        self.assertEqual(
            self.names(train), [f"{number:02d}.png" for number in range(11)]
        )
        self.assertEqual(self.names(test), ["11.png"])
        self.assertIsNone(train.class_names)
        for number in range(11):
            element = self.read(train, number)
            self.assertAllEqual(element["image"], pixels(number))
            self.assertNotIn("label", element)
        self.assertAllEqual(self.read(test, 0)["image"], pixels(11))

    def test_digest_changes_with_the_names_and_not_with_the_place(self):
        for place in ("one", "two"):
            for number in range(3):
                self.write(f"{place}/a/{number}.png", number)
        digests = [
            folder.FolderSource(str(self.root / place), "all").digest()
            for place in ("one", "two")
        ]
        self.assertEqual(*digests)
        self.write("two/a/3.png")
        os.remove(self.root / "two" / "a" / "1.png")
        other = folder.FolderSource(str(self.root / "two"), "all").digest()
        self.assertNotEqual(other, digests[0])
        self.assertStartsWith(other, "3 images, ")

    def test_a_single_image_trains_and_cannot_be_split(self):
        self.write("only.png")
        self.assertLen(folder.FolderSource(str(self.root)), 1)
        with self.assertRaisesRegex(ValueError, "two images or more"):
            folder.FolderSource(str(self.root), "test")

    def test_sub_folders_are_the_labels(self):
        self.write("dog/deep/b.png", 1)
        self.write("cat/a.png", 2)
        self.write("dog/a.png", 3)
        self.write("emu/z.png", 4)
        source = folder.FolderSource(str(self.root), rules=1)
        self.assertEqual(source.class_names, ("cat", "dog", "emu"))
        self.assertEqual(
            self.names(source), ["cat/a.png", "dog/a.png", "dog/deep/b.png"]
        )
        labels = [int(self.read(source, i)["label"]) for i in range(3)]
        self.assertEqual(labels, [0, 1, 1])
        self.assertEqual(source.class_counts().tolist(), [1, 2, 0])

    def test_one_image_outside_the_sub_folders_means_no_labels(self):
        for name in ("dog/a.png", "cat/a.png", "b.png"):
            self.write(name)
        source = folder.FolderSource(str(self.root))
        self.assertIsNone(source.class_names)
        self.assertNotIn("label", self.read(source, 0))
        with self.assertRaisesRegex(
            ValueError, f"with 1 in none, the first of them {self.root}/b.png"
        ):
            source.labels()

    @parameterized.parameters("test", "val", "validation")
    def test_train_and_test_folders_are_the_splits(self, name):
        self.write("train/cat/a.png")
        self.write("train/dog/a.png")
        self.write(f"{name}/dog/b.png")
        train = folder.FolderSource(str(self.root))
        test = folder.FolderSource(str(self.root), "test")
        self.assertEqual(
            self.names(train), ["train/cat/a.png", "train/dog/a.png"]
        )
        self.assertEqual(self.names(test), [f"{name}/dog/b.png"])
        # Numbered as in training, although there is no cat.
        self.assertEqual(test.class_names, ("cat", "dog"))
        self.assertEqual(self.read(test, 0)["label"], 1)

    def test_a_train_folder_alone_is_split_by_the_fixed_hold_out(self):
        for name in ("train/a.png", "train/b.png", "new/.x/c.png", "new/d.txt"):
            path = self.root / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_bytes(b"")
        train = folder.FolderSource(str(self.root))
        test = folder.FolderSource(str(self.root), "test")
        self.assertEqual(self.names(train), ["train/a.png"])
        self.assertEqual(self.names(test), ["train/b.png"])

    @parameterized.parameters(
        # A flat test folder, a class of its own, files beside classes.
        (("train/cat/a.png",), ("val/b.png",)),
        (("train/good/a.png",), ("test/broken/b.png", "test/good/c.png")),
        (("train/cat/a.png",), ("test/b.png", "test/cat/a.png")),
        # Train images that have no classes themselves.
        (("train/a.png",), ("test/cat/b.png", "test/cat/c.png")),
    )
    def test_a_test_split_of_other_classes_has_no_labels(self, train, test):
        for name in (*train, *test):
            self.write(name)
        source = folder.FolderSource(str(self.root), "test")
        self.assertEqual(self.names(source), sorted(test))
        self.assertIsNone(source.class_names)
        self.assertNotIn("label", self.read(source, 0))
        source = folder.FolderSource(str(self.root), "train")
        has_classes = train[0].count("/") == 2
        self.assertEqual(source.class_names is not None, has_classes)
        self.assertEqual("label" in self.read(source, 0), has_classes)

    @parameterized.parameters(
        (("a.png", "b.png", "c.png"), None),
        (("cat/a.png", "cat/b.png", "dog/c.png"), ("cat", "dog")),
        # Here `test` is not beside train images, so nothing says that the
        # rest is to be left out.
        (("more/a.png", "more/b.png", "test/c.png"), ("more", "test")),
        (("a.png", "test/b.png", "test/c.png"), None),
    )
    def test_all_of_a_folder_without_splits_is_every_image(
        self, names, class_names
    ):
        for number, name in enumerate(names):
            self.write(name, number)
        source = folder.FolderSource(str(self.root), "all")
        self.assertEqual(self.names(source), list(names))
        self.assertEqual(source.class_names, class_names)
        for number in range(3):
            image = self.read(source, number)["image"]
            self.assertAllEqual(image, pixels(number))

    @parameterized.parameters("test", "val", "validation", "other")
    def test_all_beside_a_train_folder_is_what_lies_in_train(self, name):
        names = ["train/cat/a.png", "train/cat/b.png", "train/dog/a.png"]
        for file in (*names, f"{name}/yak/a.png"):
            self.write(file)
        source = folder.FolderSource(str(self.root), "all")
        self.assertEqual(self.names(source), names)
        self.assertEqual(source.class_names, ("cat", "dog"))
        self.assertEqual(self.read(source, 2)["label"], 1)

    @parameterized.parameters("test", "val", "validation")
    def test_all_of_a_test_folder_alone_is_what_lies_in_it(self, name):
        names = [f"{name}/cat/a.png", f"{name}/dog/b.png"]
        for file in names:
            self.write(file)
        (self.root / "read me.txt").write_text("not an image")
        source = folder.FolderSource(str(self.root), "all")
        self.assertEqual(self.names(source), names)
        self.assertEqual(source.class_names, ("cat", "dog"))

    def test_all_of_two_test_folders_is_the_one_for_validation(self):
        self.write("test/a.png")
        self.write("val/b.png")
        with self.assertLogs("absl", "INFO") as logs:
            source = folder.FolderSource(str(self.root), "all")
        self.assertEqual(self.names(source), ["val/b.png"])
        self.assertIsNone(source.class_names)
        self.assertIn(f"not used: {self.root}/test", logs.output[0])

    def test_all_of_a_single_image_is_that_image(self):
        self.write("only.png")
        self.assertLen(folder.FolderSource(str(self.root), "all"), 1)

    def test_hidden_files_and_other_suffixes_are_left_out(self):
        for name in ("a.JPG", "b.jpeg", "c.Png", "d.bmp", "e.gif", "f.png"):
            self.write(name)
        for name in (".hidden.png", "._a.JPG", ".cache/x.png"):
            self.write(name)
        (self.root / "notes.txt").write_text("not an image")
        self.assertEqual(
            self.names(folder.FolderSource(str(self.root))),
            ["a.JPG", "b.jpeg", "c.Png", "d.bmp", "e.gif"],
        )

    def test_a_name_that_is_not_unicode_is_read_like_any_other(self):
        self.write("b.png", 1)
        self.write("c.png", 2)
        os.rename(
            os.fsencode(self.root / "b.png"),
            os.path.join(os.fsencode(self.root), b"a\xff.png"),
        )
        source = folder.FolderSource(str(self.root))
        self.assertTrue(source.paths[0].endswith(b"a\xff.png"))
        self.assertAllEqual(self.read(source, 0)["image"], pixels(1))

    def test_a_bad_file_whose_name_is_not_unicode_is_named(self):
        self.write("b.png")
        bad = os.path.join(os.fsencode(self.root), b"a\xff.png")
        pathlib.Path(os.fsdecode(bad)).write_bytes(b"no image")
        source = folder.FolderSource(str(self.root))
        self.assertEqual(source.describe(0), f"{self.root}/a\\xff.png")
        pattern = r"not a JPEG(.|\n)*/a\\+xff\.png"
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, pattern):
            self.read(source, 0)
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, pattern):
            list(source.epoch(shuffle=False))

    def test_an_image_is_described_by_its_path(self):
        for name in ("cat/a.png", "dog/ü.png", "dog/b.png"):
            self.write(name)
        source = folder.FolderSource(str(self.root), "all")
        self.assertEqual(
            [source.describe(index) for index in range(3)],
            [
                f"{self.root}/{n}"
                for n in ("cat/a.png", "dog/b.png", "dog/ü.png")
            ],
        )

    def test_an_image_over_the_limit_is_refused(self):
        self.write("a.png")
        self.assertLen(folder.FolderSource(str(self.root), max_pixels=54), 1)
        source = folder.FolderSource(str(self.root), max_pixels=53)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, r"1 to 53 pixels(.|\n)*a\.png"
        ):
            self.read(source, 0)
        with self.assertRaisesRegex(ValueError, "`max_pixels`"):
            folder.FolderSource(str(self.root), max_pixels=0)

    def test_the_home_folder_is_expanded(self):
        self.write("a.png")
        home = os.environ["HOME"]
        self.addCleanup(os.environ.update, {"HOME": home})
        os.environ["HOME"] = str(self.root)
        self.assertLen(folder.FolderSource("~"), 1)

    @parameterized.product(
        file=(
            ("a.png", "RGB"),
            ("a.png", "RGBA"),
            ("a.png", "L"),
            ("a.jpg", "RGB"),
            ("a.jpg", "CMYK"),
            ("a.gif", "L"),
            ("a.bmp", "RGB"),
            ("a.bmp", "L"),
        ),
        channels=(1, 3),
    )
    def test_every_format_is_decoded_to_the_channels_asked_for(
        self, file, channels
    ):
        name, mode = file
        path = self.root / name
        ramp = np.linspace(0, 250, 16 * 24).reshape(16, 24).astype(np.uint8)
        Image.fromarray(ramp).convert("RGB").convert(mode).save(path)
        source = folder.FolderSource(str(self.root), channels=channels)
        image = self.read(source, 0)["image"]
        self.assertEqual(image.dtype, tf.uint8)
        want = np.repeat(ramp[..., np.newaxis], channels, axis=-1)
        self.assertAllClose(
            tf.cast(image, tf.int32), want.astype(np.int32), atol=6
        )

    def test_an_animated_gif_gives_its_first_frame(self):
        frames = [
            Image.fromarray(np.full((5, 8), grey, np.uint8))
            for grey in (10, 200)
        ]
        frames[0].save(
            self.root / "a.gif", save_all=True, append_images=frames[1:]
        )
        image = self.read(folder.FolderSource(str(self.root)), 0)["image"]
        self.assertAllEqual(image, np.full((5, 8, 3), 10))

    def test_reading_inside_tf_data_gives_the_same(self):
        for number in range(4):
            self.write(f"class/{number}.png", number)
        source = folder.FolderSource(str(self.root), rules=1)
        elements = list(source.epoch(shuffle=False))
        self.assertLen(elements, 3)
        for number, element in enumerate(elements):
            self.assertAllEqual(element["image"], pixels(number))
            self.assertEqual(element["index"], number)
        spec = source.epoch().element_spec["image"]
        self.assertEqual(spec.shape.as_list(), [None, None, 3])

    @parameterized.parameters(
        b"", b"\xff", b"<html>not found</html>", b"\0" * 64, b"RIFF....WEBP"
    )
    def test_a_file_that_is_no_image_is_named(self, contents):
        self.write("a.png")
        (self.root / "bad one.jpg").write_bytes(contents)
        self.write("c.png")
        source = folder.FolderSource(str(self.root))
        pattern = r"not a JPEG, PNG, GIF or BMP image(.|\n)*bad one\.jpg"
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, pattern):
            self.read(source, 1)
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, pattern):
            list(source.epoch())

    def test_a_missing_folder_is_named(self):
        missing = str(self.root / "nowhere")
        with self.assertRaisesRegex(ValueError, f"no folder {missing}"):
            folder.FolderSource(missing)

    @parameterized.parameters(
        ("pets.zip", "unpacked"),
        ("pets.tfrecord", "give tfrecord:"),
        ("pets.JSON", "give coco:"),
        ("cat.png", "give the folder that it lies in"),
        ("cat.png/", "give the folder that it lies in"),
        ("pets.tfrecord/", "give tfrecord:.*pets.tfrecord[.]"),
    )
    def test_a_file_in_the_place_of_a_folder_is_said_to_be_one(
        self, name, advice
    ):
        (self.root / name.rstrip("/")).write_bytes(b"")
        for scheme in ("folder", "segmentation"):
            with self.assertRaisesRegex(ValueError, f"is a file: .*{advice}"):
                data.open_source(f"{scheme}:{self.root}/{name}")

    def test_a_folder_without_images_says_what_is_there_in_numbers(self):
        (self.root / "a.tiff").write_bytes(b"II")
        (self.root / "deep").mkdir()
        for name in ("a.webp", "b.WEBP", "c.npy", "notes", ".a.png"):
            (self.root / "deep" / name).write_bytes(b"")
        (self.root / "deep" / "loop").symlink_to(self.root)
        with self.assertRaises(ValueError) as caught:
            folder.FolderSource(str(self.root))
        message = str(caught.exception)
        self.assertStartsWith(message, f"No images in {self.root} or")
        self.assertIn("end in .jpg, .jpeg, .png, .bmp, .gif. ", message)
        self.assertIn(
            "Received: 5 other files (2 .webp, 1 .tiff, 1 .npy, 1 without an "
            "ending), 1 hidden name, 1 folder link, not followed, in 2 "
            "folders. From Python, arrays",
            message,
        )
        self.assertIn("Convert images to JPEG, PNG, GIF or BMP.", message)

    def test_an_empty_folder_is_said_to_be_empty(self):
        with self.assertRaisesRegex(ValueError, "no files at all, in 1 folder"):
            folder.FolderSource(str(self.root))

    def test_two_channels_are_refused(self):
        with self.assertRaisesRegex(ValueError, "`channels` must be 1"):
            folder.FolderSource(str(self.root), channels=2)

    def test_an_unknown_split_is_refused(self):
        with self.assertRaisesRegex(ValueError, '`split` must be "train", "t'):
            folder.FolderSource(str(self.root), split="dev")


if __name__ == "__main__":
    tf.test.main()
