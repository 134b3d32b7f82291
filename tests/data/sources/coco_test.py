"""Tests for tf_simmim.data.sources.coco, and for its annotations."""

import json
import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tf_simmim import data
from tf_simmim.data.sources import coco
from tf_simmim.data.sources import coco_annotations

SIZE = (6, 9)  # px


def annotation(image_id, category_id, bbox, **more):
    return {
        "image_id": image_id,
        "category_id": category_id,
        "bbox": bbox,
        **more,
    }


def content():
    return {
        "info": {"year": 2026},
        # Numbers have gaps, and are in no order.
        "images": [
            {"id": 40 - i, "file_name": f"{i}.png", "height": 6, "width": 9}
            for i in range(3)
        ],
        "categories": [
            {"id": 18, "name": "dog", "supercategory": "animal"},
            {"id": 3, "name": "car"},
        ],
        "annotations": [
            annotation(39, 18, [1, 2, 3, 4], area=12, iscrowd=0),
            annotation(40, 3, [0.5, 1.25, 8, 2]),
            annotation(39, 3, [4, 0, 5, 6]),
            annotation(40, 3, [0, 0, 9, 6], iscrowd=1),
            annotation(40, 18, [2, 2, 0, 3]),  # without an area
        ],
    }


class CocoSourceTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        self.file = self.root / "boxes.json"
        self.write(content())
        for number in range(3):
            self.write_image(f"{number}.png", number)

    def write(self, content):
        self.file.write_text(json.dumps(content), encoding="utf-8")

    def write_image(self, name, number=0, size=SIZE):
        rng = np.random.default_rng(number)
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
        return pixels

    def open(self, split="all", **options):
        return coco.CocoSource(str(self.file), split, **options)

    def test_images_come_with_their_boxes(self):
        source = self.open()
        self.assertLen(source, 3)
        # In the order of their numbers.
        self.assertEqual(source.box_class_names, ("car", "dog"))
        found = list(source.epoch(shuffle=False).as_numpy_iterator())
        none = [-1.0] * 4
        want = [
            [[1.25, 0.5, 3.25, 8.5], none],
            [[2, 1, 6, 4], [0, 4, 6, 9]],
            [none, none],
        ]
        self.assertAllClose([each["boxes"] for each in found], want)
        self.assertAllEqual(
            [each["box_classes"] for each in found], [[0, -1], [1, 0], [-1, -1]]
        )
        for number, each in enumerate(found):
            self.assertAllEqual(
                each["image"], self.write_image("same.png", number)
            )
        spec = source.epoch().element_spec
        self.assertEqual(spec["boxes"], tf.TensorSpec([2, 4], tf.float32))
        self.assertEqual(spec["box_classes"], tf.TensorSpec([2], tf.int64))

    def test_eagerly_they_are_the_same(self):
        source = self.open()
        want = list(source.epoch(shuffle=False))[1]
        for key, value in source.read(tf.constant(1, tf.int64)).items():
            self.assertAllEqual(value, want[key])

    def test_splits_leave_every_class_an_image_and_have_one_shape(self):
        # The only dog is in image 1.
        train, test = self.open("train"), self.open("test")
        self.assertEqual((len(train), len(test)), (2, 1))
        self.assertNotEqual(test.paths, self.open().paths[1:2])
        self.assertEqual(self.open().class_counts().tolist(), [2, 1])
        self.assertEqual(train.class_counts()[1], 1)
        self.assertEqual(train.epoch().element_spec, test.epoch().element_spec)
        self.assertNotEqual(train.digest(), test.digest())

    def test_a_run_of_before_holds_out_the_last_of_few(self):
        spec = f"coco:{self.file}"
        test = data.open_source(spec, "validation", split_rules=1)
        self.assertEqual(test.paths, self.open().paths[2:])

    def test_images_may_lie_in_another_folder(self):
        self.write_image("elsewhere/0.png")
        self.write(
            {**content(), "images": content()["images"][:1]}
            | {"annotations": []}
        )
        source = data.open_source(
            f"coco:{self.file},{self.root / 'elsewhere'}", "all", channels=1
        )
        self.assertIsInstance(source, coco.CocoSource)
        self.assertIn(b"elsewhere", source.paths[0])
        element = source.read(tf.constant(0, tf.int64))
        self.assertEqual(element["image"].shape, [*SIZE, 1])
        # Room for a box at least.
        self.assertAllEqual(element["box_classes"], [-1])

    def test_an_image_of_another_size_is_bad_and_named(self):
        self.write_image("1.png", size=(9, 6))
        source = self.open()
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "size that its annotation says"
        ):
            source.read(tf.constant(1, tf.int64))
        stream = data.ImageStream(
            source,
            data.ResizeAndCentreCrop((4, 4)),
            data.Normalization(source.mean, source.std),
            with_boxes=True,
        )
        batch = next(iter(stream.batches(3)))
        self.assertNotIn(1, batch["index"])
        self.assertEqual(list(stream.bad_images.reasons), [source.describe(1)])

    def test_sizes_need_not_be_told(self):
        images = [
            {"id": each["id"], "file_name": each["file_name"]}
            for each in content()["images"]
        ]
        self.write({**content(), "images": images})
        self.write_image("1.png", size=(9, 6))
        self.assertLen(list(self.open().epoch()), 3)

    def test_another_box_is_another_digest(self):
        before = self.open().digest()
        changed = content()
        changed["annotations"][0]["bbox"][0] = 1.5
        self.write(changed)
        self.assertNotEqual(self.open().digest(), before)

    @parameterized.parameters("../0.png", "/etc/hostname", "a/../../0.png")
    def test_images_outside_of_the_folder_are_refused(self, name):
        changed = content()
        changed["images"][0]["file_name"] = name
        self.write(changed)
        with self.assertRaisesRegex(ValueError, "must lie below"):
            self.open()

    def test_a_missing_image_is_named_and_the_folder_asked_for(self):
        (self.root / "2.png").unlink()
        with self.assertRaisesRegex(ValueError, "coco:JSON,FOLDER.*'2.png'"):
            self.open()

    @parameterized.parameters(
        (lambda c: [c], "it is no object"),
        (lambda c: c | {"images": 3}, "`images`, a list of objects"),
        (lambda c: c | {"images": []}, "`images` must have entries"),
        (lambda c: c | {"categories": [1]}, "`categories`, a list of objects"),
        (
            lambda c: c | {"categories": 2 * c["categories"]},
            "`id` of its own",
        ),
        (
            lambda c: c | {"annotations": [annotation(1, 3, [1, 2, 3, 4])]},
            'no such image or category: {"image_id": 1',
        ),
        (
            lambda c: c | {"annotations": [annotation(40, 3, [1, 2, 3])]},
            "`bbox` must have four numbers",
        ),
        (
            lambda c: (
                c | {"annotations": [annotation(40, 3, [1, 2, 3, np.nan])]}
            ),
            "`bbox` must have four numbers",
        ),
        *(
            (
                lambda c, box=box: (
                    c | {"annotations": [annotation(40, 3, box)]}
                ),
                "finite ones as float32",
            )
            for box in ([1, 2, 1e39, 4], [-1e39, 2, 3, 4], [0, 10**400, 3, 4])
        ),
        (
            lambda c: (
                c | {"images": [{"id": 1, "file_name": "a", "width": 1 << 31}]}
            ),
            "`width` must be a number of pixels",
        ),
        (
            lambda c: c | {"annotations": [annotation("a", 3, [1, 2, 3, 4])]},
            "`image_id` must be a whole number",
        ),
        (lambda c: c | {"images": [{"id": 1}]}, "`file_name` must be a text"),
    )
    def test_what_is_no_such_file_is_refused(self, change, message):
        self.write(change({**content(), "annotations": []}))
        with self.assertRaisesRegex(ValueError, message) as caught:
            coco_annotations.read_annotations(self.file)
        self.assertIn(str(self.file), str(caught.exception))

    def test_a_box_that_float32_leaves_without_an_area_is_left_out(self):
        found = content()
        number = len(found["annotations"])
        image, category = (
            found["annotations"][0][name]
            for name in ("image_id", "category_id")
        )
        thin = annotation(image, category, [1e9, 2, 1, 4])
        self.write(found | {"annotations": [*found["annotations"], thin]})
        read = coco_annotations.read_annotations(self.file)
        self.write(found)
        want = coco_annotations.read_annotations(self.file)
        self.assertAllEqual(read.boxes, want.boxes)
        self.assertGreater(number, 0)

    def test_a_pipe_is_not_waited_for(self):
        self.file.unlink(missing_ok=True)
        os.mkfifo(self.file)
        with self.assertRaisesRegex(ValueError, "It is no ordinary file"):
            coco_annotations.read_annotations(self.file)

    @parameterized.parameters(b"{", b"\xff", b"[" * 100_000)
    def test_what_is_not_json_is_refused(self, contents):
        self.file.write_bytes(contents)
        with self.assertRaisesRegex(ValueError, "it cannot be read"):
            self.open()

    def test_a_missing_file_is_named(self):
        with self.assertRaisesRegex(ValueError, "boxes as COCO.*nowhere.json"):
            data.open_source("coco:nowhere.json")


if __name__ == "__main__":
    tf.test.main()
