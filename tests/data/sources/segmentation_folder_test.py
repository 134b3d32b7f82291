"""Tests for tf_simmim.data.sources.segmentation_folder, and its masks."""

import os
import pathlib
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tests import slow_cases
from tf_simmim import data
from tf_simmim.data.sources import segmentation_folder

SIZE = (6, 9)
NAMES = ["sky", "tree", "road", "car"]


def truth(number):
    """Returns uint8 [6, 9]: classes, and 255 somewhere."""
    rng = np.random.default_rng(number)
    numbers = rng.integers(0, len(NAMES), SIZE).astype(np.uint8)
    numbers[number % 6, 3] = 255
    return numbers


class SegmentationFolderSourceTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        self.write_text("classes.txt", "\n".join(NAMES) + "\n\n")
        for number in range(3):
            self.write(f"{number}", number)

    def write_text(self, name, text):
        (self.root / name).write_text(text, encoding="utf-8")

    def write(self, name, number=0, mask=None):
        """Writes an image and its mask, grey unless it is an image itself."""
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
        if mask is None:
            mask = Image.fromarray(truth(number))
        for folder, image in (
            ("images", Image.fromarray(pixels)),
            ("masks", mask),
        ):
            path = self.root / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)

    def open(self, split="all", **options):
        return segmentation_folder.SegmentationFolderSource(
            str(self.root), split, **options
        )

    def read(self, source, index):
        return source.read(tf.constant(index, tf.int64))

    def test_images_come_with_the_numbers_in_their_masks(self):
        source = self.open()
        self.assertLen(source, 3)
        self.assertEqual(source.segmentation_class_names, tuple(NAMES))
        for number, element in enumerate(source.epoch(shuffle=False)):
            self.assertEqual(element["image"].shape, [*SIZE, 3])
            self.assertEqual(element["segmentation"].dtype, tf.uint8)
            self.assertAllEqual(element["segmentation"][..., 0], truth(number))

    @parameterized.parameters("equal", "random", "short")
    def test_indices_of_a_palette_count_whatever_its_colours_are(self, kind):
        rng = np.random.default_rng(0)
        colours = {
            "equal": np.zeros(768, int),
            "random": rng.integers(0, 256, 768),
            "short": rng.integers(0, 256, 3 * len(NAMES)),
        }[kind]
        numbers = truth(7)
        if kind == "short":
            numbers[numbers == 255] = 0
        mask = Image.fromarray(numbers, mode="L")
        mask = mask.copy()
        mask.putpalette(colours.tolist())
        self.assertEqual(mask.mode, "P")
        self.write("p", 7, mask)
        found = self.read(self.open(), 3)["segmentation"]
        self.assertAllEqual(found[..., 0], numbers)

    def test_grey_masks_of_one_bit_hold_classes_zero_and_one(self):
        numbers = truth(2) % 2
        mask = Image.fromarray((255 * numbers).astype(np.uint8)).convert("1")
        self.write("b", 2, mask)
        found = self.read(self.open(), 3)["segmentation"]
        self.assertAllEqual(found[..., 0], numbers)

    def test_folders_are_splits_and_sub_folders_are_no_classes(self):
        for split, number in (("TRAIN", 4), ("Val", 5), ("test", 6)):
            self.write(f"{split}/deep/a", number)
        train, test = self.open("train"), self.open("validation")
        self.assertEqual((len(train), len(test)), (1, 1))
        self.assertIsNone(train.class_names)
        self.assertAllEqual(
            self.read(test, 0)["segmentation"][..., 0], truth(5)
        )
        end = os.fsencode(os.path.join("masks", "TRAIN", "deep", "a.png"))
        self.assertEndsWith(train.mask_paths[0].decode(), end.decode())

    def test_it_opens_by_its_name(self):
        source = data.open_source(f"segmentation:{self.root}", "all")
        self.assertLen(source, 3)
        other = data.open_source(f"segmentation:{self.root}", "train")
        self.assertNotEqual(source.digest(), other.digest())

    def test_an_image_without_a_mask_is_named(self):
        os.remove(self.root / "masks" / "1.png")
        with self.assertRaisesRegex(
            ValueError, r"1 images without.*images/1\.png.*masks/1\.png"
        ):
            self.open()

    @parameterized.parameters("images", "masks")
    def test_a_missing_folder_is_named(self, name):
        (self.root / name).rename(self.root / "other")
        with self.assertRaisesRegex(ValueError, f"without .*/{name}"):
            self.open()

    def test_splits_around_the_images_are_named_one_by_one(self):
        os.makedirs(self.root / "pets/Train/images")
        with self.assertRaisesRegex(
            ValueError, f"name each: segmentation:{self.root}/pets/Train, and"
        ):
            data.open_source(f"segmentation:{self.root}/pets")

    def test_classes_must_be_named(self):
        self.write_text("classes.txt", "sky\n")
        with self.assertRaisesRegex(ValueError, "2 to 255 .*Received: 1"):
            self.open()
        os.remove(self.root / "classes.txt")
        with self.assertRaisesRegex(ValueError, r"needs .* classes\.txt"):
            self.open()

    @slow_cases.slow_cases("size")
    @parameterized.named_parameters(
        ("size", np.zeros([9, 6], np.uint8), r"6 and 9 px. Received: 9 and 6"),
        ("no_class", np.full(SIZE, 4, np.uint8), r"0\.\.3, and 255.*: 4 in"),
        ("colours", np.zeros([*SIZE, 3], np.uint8), "grey or have a palette"),
        ("bits", np.zeros(SIZE, np.uint16), "in 8 bits or fewer"),
    )
    def test_a_wrong_mask_is_named_with_the_reason(self, mask, message):
        self.write("1", 1, Image.fromarray(mask))
        source = self.open()
        self.read(source, 0)
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, rf"{message}.*masks/1\.png"
        ):
            self.read(source, 1)
        with self.assertRaises(tf.errors.InvalidArgumentError):
            list(source.epoch(shuffle=False))

    @parameterized.parameters(
        (lambda content: content[:40], "cut off"),
        (lambda content: b"GIF89a" + content, "must be a PNG"),
        (lambda content: content[:50] + b"\0\0" + content[52:], "damaged"),
    )
    def test_a_damaged_mask_is_named(self, damage, message):
        path = self.root / "masks" / "1.png"
        path.write_bytes(damage(path.read_bytes()))
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, rf"{message}.*masks/1\.png"
        ):
            self.read(self.open(), 1)

    @pytest.mark.slow
    def test_a_pair_with_a_wrong_mask_is_replaced_and_counted(self):
        self.write("1", 1, Image.fromarray(np.full(SIZE, 9, np.uint8)))
        source = self.open()
        stream = data.ImageStream(
            source,
            data.ResizeAndCentreCrop(SIZE),
            data.Normalization(source.mean, source.std),
            shuffle=False,
            with_segmentation=True,
        )
        (batch,) = stream.batches(3, stop_index=3)
        self.assertAllEqual(batch["index"], [0, 2, 2])
        self.assertAllEqual(batch["segmentation"][1, ..., 0], truth(2))
        self.assertLen(stream.bad_images, 1)


if __name__ == "__main__":
    tf.test.main()
